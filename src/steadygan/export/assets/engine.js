"use strict";
// Runs a program (export/program.py) on Float32Arrays. Used by the page in workers, and by tests in node.

const FUNCTIONS = (() => {
    // Abramowitz and Stegun would do for pictures; this is W. J. Cody's series and fraction by way of erf's integral
    const erf = (x) => {
        const a = Math.abs(x);
        if (a > 6) return Math.sign(x);
        if (a < 2.5) {
            let term = a, sum = a;
            for (let n = 1; Math.abs(term) > 1e-17 * sum && n < 100; n++) {
                term *= -a * a / n;
                sum += term / (2 * n + 1);
            }
            return Math.sign(x) * 2 / Math.sqrt(Math.PI) * sum;
        }
        let fraction = 0;
        for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
        return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
    };
    return {
        relu: (a) => a > 0 ? a : 0,
        leaky: (a, slope) => a > 0 ? a : a * slope,
        elu: (a, alpha) => a > 0 ? a : alpha * Math.expm1(a),
        tanh: Math.tanh,
        sigmoid: (a) => 1 / (1 + Math.exp(-a)),
        erf,
        gelu: (a) => a / 2 * (1 + erf(a * Math.SQRT1_2)),
        gelu_tanh: (a) => a / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a * a * a))),
        exp: Math.exp, expm1: Math.expm1, log: Math.log, log1p: Math.log1p, sqrt: Math.sqrt,
        rsqrt: (a) => 1 / Math.sqrt(a),
        reciprocal: (a) => 1 / a,
        neg: (a) => -a, abs: Math.abs, sin: Math.sin, cos: Math.cos,
        not: (a) => a === 0 ? 1 : 0,
        add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b, div: (a, b) => a / b,
        pow: (a, b) => b === 2 ? a * a : Math.pow(a, b),
        maximum: Math.max, minimum: Math.min,
        gt: (a, b) => +(a > b), ge: (a, b) => +(a >= b), lt: (a, b) => +(a < b), le: (a, b) => +(a <= b),
        eq: (a, b) => +(a === b),
        where: (a, b, c) => a !== 0 ? b : c,
    };
})();

// C[m * stride + n] = bias[m] + sum over k of A[m, k] B[n, k]: rows of both lie in one piece, 4 × 4 sums at a time
function product(A, a, B, b, C, c, stride, M, N, K, bias, first) {
    for (let m = 0; m < M; m += 4) {
        const rows = Math.min(4, M - m), top = M - 1;
        const a0 = a + m * K, a1 = a + Math.min(m + 1, top) * K;
        const a2 = a + Math.min(m + 2, top) * K, a3 = a + Math.min(m + 3, top) * K;
        for (let n = 0; n < N; n += 4) {
            const columns = Math.min(4, N - n), last = N - 1;
            const b0 = b + n * K, b1 = b + Math.min(n + 1, last) * K;
            const b2 = b + Math.min(n + 2, last) * K, b3 = b + Math.min(n + 3, last) * K;
            let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
            let s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
            for (let k = 0; k < K; k++) {
                const x0 = A[a0 + k], x1 = A[a1 + k], x2 = A[a2 + k], x3 = A[a3 + k];
                const y0 = B[b0 + k], y1 = B[b1 + k], y2 = B[b2 + k], y3 = B[b3 + k];
                s00 += x0 * y0; s01 += x0 * y1; s02 += x0 * y2; s03 += x0 * y3;
                s10 += x1 * y0; s11 += x1 * y1; s12 += x1 * y2; s13 += x1 * y3;
                s20 += x2 * y0; s21 += x2 * y1; s22 += x2 * y2; s23 += x2 * y3;
                s30 += x3 * y0; s31 += x3 * y1; s32 += x3 * y2; s33 += x3 * y3;
            }
            for (let row = 0; row < rows; row++) {
                const o = c + (m + row) * stride + n, add = bias ? bias[first + m + row] : 0;
                C[o] = add + (row === 0 ? s00 : row === 1 ? s10 : row === 2 ? s20 : s30);
                if (columns > 1) C[o + 1] = add + (row === 0 ? s01 : row === 1 ? s11 : row === 2 ? s21 : s31);
                if (columns > 2) C[o + 2] = add + (row === 0 ? s02 : row === 1 ? s12 : row === 2 ? s22 : s32);
                if (columns > 3) C[o + 3] = add + (row === 0 ? s03 : row === 1 ? s13 : row === 2 ? s23 : s33);
            }
        }
    }
}

const BLOCK = 1 << 16; // numbers of a matrix that is made and used up at once, so that it stays in the cache

// For each place what lies under the kernel: rows of `channels` × kernel numbers
function under(x, at, channels, h, w, kernel, stride, padding, dilation, wide, from, to, into) {
    const [kh, kw] = kernel, plane = h * w;
    let o = 0;
    for (let p = from; p < to; p++) {
        const row = p / wide | 0;
        const top = row * stride[0] - padding[0], left = (p - row * wide) * stride[1] - padding[1];
        for (let channel = 0, base = at; channel < channels; channel++, base += plane) {
            for (let i = 0; i < kh; i++) {
                const y = top + i * dilation[0];
                if (y < 0 || y >= h) {
                    for (let j = 0; j < kw; j++) into[o++] = 0;
                    continue;
                }
                for (let j = 0, q = left; j < kw; j++, q += dilation[1]) into[o++] = q < 0 || q >= w ? 0 : x[base + y * w + q];
            }
        }
    }
}

const ONE = [1, 1], NONE = [0, 0];

function convolution(it, [x], out, constants, scratch) {
    const [count, inside, h, w] = it.maps, [high, wide] = it.sides, [kh, kw] = it.kernel, places = kh * kw;
    const weight = constants[it.w], bias = "b" in it ? constants[it.b] : null;
    const from = inside / it.groups, to = it.outside / it.groups, made = high * wide;
    const K = it.transposed ? from : from * places, M = it.transposed ? to * places : to, P = it.transposed ? h * w : made;
    const step = Math.max(4, Math.min(P, Math.floor(BLOCK / K)));
    const columns = scratch(0, step * K), parts = it.transposed ? scratch(1, step * M) : null;
    if (it.transposed)
        for (let n = 0, o = 0; n < count; n++)
            for (let channel = 0; channel < it.outside; channel++, o += made) out.fill(bias ? bias[channel] : 0, o, o + made);
    for (let n = 0; n < count; n++) for (let group = 0; group < it.groups; group++) {
        const at = (n * inside + group * from) * h * w, o = (n * it.outside + group * to) * made;
        for (let p = 0; p < P; p += step) {
            const end = Math.min(P, p + step), width = end - p;
            if (it.transposed) {
                under(x, at, from, h, w, ONE, ONE, NONE, ONE, w, p, end, columns);
                product(weight, group * M * K, columns, 0, parts, 0, width, M, width, K, null, 0);
                spread(it, parts, p, width, to, out, o);
            } else {
                under(x, at, from, h, w, it.kernel, it.stride, it.padding, it.dilation, wide, p, end, columns);
                product(weight, group * M * K, columns, 0, out, o + p, made, M, width, K, bias, group * to);
            }
        }
    }
}

// Adds what each place gives of a transposed convolution to the places it reaches
function spread(it, parts, first, width, channels, out, at) {
    const [, , , w] = it.maps, [high, wide] = it.sides, [kh, kw] = it.kernel;
    let part = 0;
    for (let channel = 0; channel < channels; channel++) for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
        const base = at + channel * high * wide;
        for (let p = 0; p < width; p++, part++) {
            const row = (first + p) / w | 0;
            const y = row * it.stride[0] - it.padding[0] + i * it.dilation[0];
            const q = (first + p - row * w) * it.stride[1] - it.padding[1] + j * it.dilation[1];
            if (y >= 0 && y < high && q >= 0 && q < wide) out[base + y * wide + q] += parts[part];
        }
    }
}

const OPERATIONS = {
    convolution,
    product(it, [first, second], out, constants) {
        const [count, M, N, K] = it.sizes, matrix = "w" in it ? constants[it.w] : second;
        const next = matrix.length > N * K ? N * K : 0;
        for (let n = 0; n < count; n++) {
            if (M === 1) product(matrix, n * next, first, n * K, out, n * N, 1, N, 1, K, "b" in it ? constants[it.b] : null, 0);
            else {
                product(first, n * M * K, matrix, n * next, out, n * M * N, N, M, N, K, null, 0);
                if ("b" in it) for (let o = n * M * N, end = o + M * N; o < end; o++) out[o] += constants[it.b][o % N];
            }
        }
    },
    affine(it, [x], out, constants) {
        const [outer, channels, inner] = it.form, scale = constants[it.scale], shift = constants[it.shift];
        for (let n = 0, o = 0; n < outer; n++)
            for (let channel = 0; channel < channels; channel++)
                for (let p = 0, a = scale[channel], b = shift[channel]; p < inner; p++, o++) out[o] = x[o] * a + b;
    },
    map(it, [a, b = a, c = a], out) {
        const f = FUNCTIONS[it.f], p = +(a.length > 1), q = +(b.length > 1), r = +(c.length > 1);
        if (it.f === "relu") for (let o = 0; o < out.length; o++) out[o] = a[o] > 0 ? a[o] : 0;
        else if (it.f === "leaky") for (let o = 0, slope = b[0]; o < out.length; o++) out[o] = a[o] > 0 ? a[o] : a[o] * slope;
        else for (let o = 0; o < out.length; o++) out[o] = f(a[o * p], b[o * q], c[o * r]);
    },
    reduce(it, [x], out) {
        const n = it.over;
        for (let row = 0, o = 0; row < out.length; row++, o += n) {
            let sum = it.f === "max" ? -Infinity : 0, squares = 0;
            if (it.f === "max") for (let k = 0; k < n; k++) sum = Math.max(sum, x[o + k]);
            else for (let k = 0; k < n; k++) sum += x[o + k];
            if (it.f === "variance") for (let k = 0, mean = sum / n; k < n; k++) squares += (x[o + k] - mean) ** 2;
            out[row] = (it.f === "variance" ? squares / n : sum) * it.times;
        }
    },
    pick(it, [x], out) {
        const last = it.tables.length - 1;
        let o = 0;
        const go = (axis, at) => {
            const table = it.tables[axis];
            if (axis < last) for (let i = 0; i < table.length; i++) go(axis + 1, at + table[i]);
            else for (let i = 0; i < table.length; i++) {
                const place = at + table[i];
                out[o++] = place < 0 ? it.fill : x[place];
            }
        };
        go(0, 0);
    },
    taps(it, [x], out, constants, scratch) {
        const [h, w] = it.sides, [[rows, columns], [down, across]] = [it.places, it.shares];
        const high = rows.length, wide = columns.length, between = scratch(0, high * w);
        for (let at = 0, o = 0; at < x.length; at += h * w) {
            for (let i = 0, p = 0; i < high; i++) for (let j = 0; j < w; j++, p++) {
                between[p] = 0;
                for (let k = 0; k < rows[i].length; k++) between[p] += down[i][k] * x[at + rows[i][k] * w + j];
            }
            for (let i = 0; i < high; i++) for (let j = 0; j < wide; j++, o++) {
                let sum = 0;
                for (let k = 0; k < columns[j].length; k++) sum += across[j][k] * between[i * w + columns[j][k]];
                out[o] = sum;
            }
        }
    },
    cat(it, parts, out) {
        for (let n = 0, o = 0; n < it.outer; n++) for (const part of parts) {
            const size = part.length / it.outer;
            out.set(part.subarray(n * size, (n + 1) * size), o);
            o += size;
        }
    },
    rows(it, [places], out, constants) {
        places.forEach((row, n) => out.set(constants[it.w].subarray(Math.round(row) * it.width, (Math.round(row) + 1) * it.width), n * it.width));
    },
};

// (program, constants: Float32Arrays) -> (latent, label) -> the picture (channels × size × size) in -1..1
function generatorOf(program, constants) {
    const until = new Map(); // number of a value -> the last instruction that looks at it
    program.instructions.forEach((it, place) => it.in.forEach((number) => until.set(number, place)));
    const scratches = [new Float32Array(0), new Float32Array(0)];
    const scratch = (which, size) => {
        if (scratches[which].length < size) scratches[which] = new Float32Array(size);
        return scratches[which];
    };
    const free = new Map(); // by length: buffers of values that nothing looks at any more
    return (latent, label = 0) => {
        const values = new Map([[0, Float32Array.from(latent)], [1, Float32Array.of(label)]]);
        program.instructions.forEach((it, place) => {
            const out = free.get(it.size)?.pop() ?? new Float32Array(it.size);
            const given = it.in.map((number) => number < 0 ? constants[~number] : values.get(number));
            OPERATIONS[it.op](it, given, out, constants, scratch);
            values.set(it.out, out);
            for (const number of new Set(it.in)) {
                if (number < 2 || until.get(number) !== place || number === program.result) continue;
                const old = values.get(number);
                free.set(old.length, [...(free.get(old.length) ?? []), old]);
                values.delete(number);
            }
        });
        return values.get(program.result).slice();
    };
}

// The picture as pixels for a canvas: grey levels are rounded and clipped as Python's are
function pixelsOf(picture, channels, size) {
    const plane = size * size, pixels = new Uint8ClampedArray(4 * plane);
    const colour = channels > 2 ? [0, 1, 2] : [0, 0, 0], alpha = channels % 2 ? -1 : channels - 1;
    const level = (channel, p) => Math.fround(Math.fround(Math.fround(picture[channel * plane + p]) + 1) * 127.5);
    for (let p = 0, o = 0; p < plane; p++) {
        for (const channel of colour) pixels[o++] = level(channel, p);
        pixels[o++] = alpha < 0 ? 255 : level(alpha, p);
    }
    return pixels;
}

// The weights as they lie in the page: deflated, the high bytes of all numbers before the low ones (of float16, then
// float32), which deflates better
async function constantsOf(bytes, lengths, halves) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const data = new Uint8Array(await new Response(stream).arrayBuffer());
    const sum = (wanted) => lengths.reduce((total, length, place) => total + (halves[place] === wanted ? length : 0), 0);
    const small = sum(1), large = sum(0), view = new DataView(new ArrayBuffer(4));
    const table = Float32Array.from({length: 65536}, (_, bits) => {
        const sign = bits >> 15 ? -1 : 1, power = bits >> 10 & 31, rest = bits & 1023;
        if (power === 31) return rest ? NaN : sign * Infinity;
        return sign * (power ? 2 ** (power - 15) * (1 + rest / 1024) : 2 ** -14 * rest / 1024);
    });
    let half = 0, single = 0;
    return lengths.map((length, place) => {
        const made = new Float32Array(length);
        for (let o = 0; o < length; o++) {
            if (halves[place]) made[o] = table[data[half] << 8 | data[small + half++]];
            else {
                for (let byte = 0; byte < 4; byte++) view.setUint8(byte, data[2 * small + byte * large + single]);
                made[o] = view.getFloat32(0);
                single++;
            }
        }
        return made;
    });
}

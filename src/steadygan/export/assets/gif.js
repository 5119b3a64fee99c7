"use strict";
// Frames as an animated GIF (GIF89a): one palette of up to 255 colours for all, by median cut (Heckbert 1982).

const CELLS = 5; // bits of each channel that tell colours apart

function paletteOf(frames) {
    const counts = new Uint32Array(1 << 3 * CELLS), shift = 8 - CELLS;
    const cell = (p, o) => p[o] >> shift << 2 * CELLS | p[o + 1] >> shift << CELLS | p[o + 2] >> shift;
    for (const pixels of frames) for (let o = 0; o < pixels.length; o += 4) counts[cell(pixels, o)]++;
    const channel = (at, n) => at >> CELLS * (2 - n) & (1 << CELLS) - 1;
    const box = (cells) => {
        const ranges = [0, 1, 2].map((n) => {
            let low = 255, high = 0;
            for (const at of cells) { low = Math.min(low, channel(at, n)); high = Math.max(high, channel(at, n)); }
            return high - low;
        });
        const widest = ranges.indexOf(Math.max(...ranges));
        return {cells, widest, count: cells.reduce((sum, at) => sum + counts[at], 0), range: ranges[widest]};
    };
    let boxes = [box([...counts.keys()].filter((at) => counts[at]))];
    while (boxes.length < 255) {
        const split = boxes.filter((it) => it.range).sort((a, b) => b.count * b.range - a.count * a.range)[0];
        if (!split) break;
        const cells = split.cells.sort((a, b) => channel(a, split.widest) - channel(b, split.widest));
        let half = 0, at = 0;
        while (at < cells.length - 1 && (half += counts[cells[at]]) < split.count / 2) at++;
        at = Math.max(1, at);
        boxes = [...boxes.filter((it) => it !== split), box(cells.slice(0, at)), box(cells.slice(at))];
    }
    const places = new Uint8Array(counts.length), colours = new Uint8Array(768);
    boxes.forEach((it, place) => {
        for (let n = 0; n < 3; n++) {
            const mean = it.cells.reduce((sum, at) => sum + counts[at] * channel(at, n), 0) / it.count;
            colours[3 * place + n] = Math.round(mean * 255 / ((1 << CELLS) - 1));
        }
        for (const at of it.cells) places[at] = place;
    });
    return {colours, indices: (pixels) => Uint8Array.from({length: pixels.length / 4}, (_, p) => places[cell(pixels, 4 * p)])};
}

// Welch's LZW as GIF has it: codes of 9 to 12 bits, lowest bits first, in blocks of up to 255 bytes
function lzw(indices) {
    const bytes = [], clear = 256;
    let bits = 0, held = 0, size = 9, next = clear + 2, known = new Map(), prefix = indices[0];
    const emit = (code) => {
        held |= code << bits;
        for (bits += size; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
    };
    emit(clear);
    for (let at = 1; at < indices.length; at++) {
        const longer = prefix << 8 | indices[at], code = known.get(longer);
        if (code !== undefined) { prefix = code; continue; }
        emit(prefix);
        if (next < 4096) {
            if (next === 1 << size) size++;
            known.set(longer, next++);
        } else {
            emit(clear);
            [size, next, known] = [9, clear + 2, new Map()];
        }
        prefix = indices[at];
    }
    emit(prefix);
    if (next === 1 << size && size < 12) size++;
    emit(clear + 1);
    if (bits) bytes.push(held & 255);
    const blocks = [];
    for (let at = 0; at < bytes.length; at += 255) blocks.push(Math.min(255, bytes.length - at), ...bytes.slice(at, at + 255));
    return Uint8Array.from([8, ...blocks, 0]);
}

// Frames of RGBA pixels, `side` wide and high, each shown for so many hundredths of a second
function gifOf(frames, side, hundredths) {
    const {colours, indices} = paletteOf(frames), two = (x) => [x & 255, x >> 8], text = (x) => [...x].map((it) => it.charCodeAt(0));
    const parts = [[...text("GIF89a"), ...two(side), ...two(side), 0xf7, 0, 0], colours, [0x21, 0xff, 11, ...text("NETSCAPE2.0"), 3, 1, 0, 0, 0]];
    for (const pixels of frames) {
        parts.push([0x21, 0xf9, 4, 0, ...two(hundredths), 0, 0, 0x2c, 0, 0, 0, 0, ...two(side), ...two(side), 0], lzw(indices(pixels)));
    }
    return new Blob([...parts.map((part) => Uint8Array.from(part)), Uint8Array.of(0x3b)], {type: "image/gif"});
}

// Each pixel as `by` × `by` of them
function enlarged(pixels, side, by) {
    const from = new Uint32Array(pixels.buffer), wide = side * by;
    const to = Uint32Array.from({length: wide * wide}, (_, p) => from[Math.floor(p / wide / by) * side + Math.floor(p % wide / by)]);
    return new Uint8ClampedArray(to.buffer);
}

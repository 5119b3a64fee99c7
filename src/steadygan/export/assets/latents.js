"use strict";
// The latents of `steadygan sample --seed S`: each follows from seed and number (training/seeds.py). Whole numbers of 64
// bits are BigInts, so they are the same everywhere.

const cut = (x) => BigInt.asUintN(64, x);

// BLAKE2b with a digest of 8 bytes, of up to 128 ASCII characters (RFC 7693, section 3); the digest as a number
function blake2b(text) {
    const IV = [
        0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
        0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
    ];
    const ORDERS = [
        "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
        "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0",
    ];
    const words = Array(16).fill(0n);
    [...text].forEach((sign, at) => { words[at >> 3] |= BigInt(sign.charCodeAt(0)) << BigInt(8 * (at & 7)); });
    const start = IV[0] ^ 0x01010008n, v = [start, ...IV.slice(1), ...IV];
    v[12] ^= BigInt(text.length);
    v[14] ^= cut(-1n);
    const turned = (x, by) => cut(x >> by | x << 64n - by);
    const mix = (a, b, c, d, x, y) => {
        for (const [word, first, second] of [[x, 32n, 24n], [y, 16n, 63n]]) {
            v[a] = cut(v[a] + v[b] + word);
            v[d] = turned(v[d] ^ v[a], first);
            v[c] = cut(v[c] + v[d]);
            v[b] = turned(v[b] ^ v[c], second);
        }
    };
    for (let round = 0; round < 12; round++) {
        const at = [...ORDERS[round % 10]].map((sign) => words[parseInt(sign, 16)]);
        for (let n = 0; n < 4; n++) mix(n, n + 4, n + 8, n + 12, at[2 * n], at[2 * n + 1]);
        for (let n = 0; n < 4; n++) mix(n, (n + 1) % 4 + 4, (n + 2) % 4 + 8, (n + 3) % 4 + 12, at[2 * n + 8], at[2 * n + 9]);
    }
    const little = start ^ v[0] ^ v[8];
    return Array.from({length: 8}, (_, n) => little >> BigInt(8 * n) & 255n).reduce((all, byte) => all << 8n | byte, 0n);
}

// The first `count` words of a stream of Philox4x64-10 (Salmon et al. 2011, section 3.3), as numpy counts
function philox(key, number, count) {
    const words = [];
    for (let block = 1n; words.length < count; block++) {
        let x = [block, 0n, number, 0n], k = [key, 0n];
        for (let round = 0; round < 10; round++) {
            const first = x[0] * 0xd2e7470ee14c6c93n, second = x[2] * 0xca5a826395121157n;
            x = [second >> 64n ^ x[1] ^ k[0], cut(second), first >> 64n ^ x[3] ^ k[1], cut(first)];
            k = [cut(k[0] + 0x9e3779b97f4a7c15n), cut(k[1] + 0xbb67ae8584caa73bn)];
        }
        words.push(...x);
    }
    return words.slice(0, count);
}

// Where the standard normal distribution has passed this share: Moshier's Cephes, ndtri
function quantile(share) {
    const of = (x, numbers) => numbers.reduce((sum, number) => sum * x + number, 0);
    const tail = Math.min(share, 1 - share);
    if (tail > Math.exp(-2)) {
        const y = share - 0.5, z = y * y;
        const above = of(z, [-5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1, 1.39312609387279679503e1, -1.23916583867381258016]);
        const below = of(z, [1, 1.95448858338141759834, 4.67627912898881538453, 8.63602421390890590575e1, -2.25462687854119370527e2, 2.00260212380060660359e2, -8.20372256168333339912e1, 1.59056225126211695515e1, -1.18331621121330003142]);
        return (y + y * (z * above / below)) * Math.sqrt(2 * Math.PI);
    }
    const x = Math.sqrt(-2 * Math.log(tail)), z = 1 / x;
    const [above, below] = x < 8 ? [
        [4.05544892305962419923, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.40805073893200834700e1, 1.46849561928858024014e1, 2.18663306850790267539, -1.40256079171354495875e-1, -3.50424626827848203418e-2, -8.57456785154685413611e-4],
        [1, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1, 1.50425385692907503408e1, 2.50464946208309415979, -1.42182922854787788574e-1, -3.80806407691578277194e-2, -9.33259480895457427372e-4],
    ] : [
        [3.23774891776946035970, 6.91522889068984211695, 3.93881025292474443415, 1.33303460815807542389, 2.01485389549179081538e-1, 1.23716634817820021358e-2, 3.01581553508235416007e-4, 2.65806974686737550832e-6, 6.23974539184983293730e-9],
        [1, 6.02427039364742014255, 3.67983563856160859403, 1.37702099489081330271, 2.16236993594496635890e-1, 1.34204006088543189037e-2, 3.28014464682127739104e-4, 2.89247864745380683936e-6, 6.79019408009981274425e-9],
    ];
    const far = x - Math.log(x) / x - z * of(z, above) / of(z, below);
    return share < 0.5 ? -far : far;
}

// The latent of one picture: `kind` is normal or uniform
function latentOf(seed, number, dim, kind) {
    const key = blake2b(`(${BigInt(seed)}, 'sample')`) >> 1n;
    return Float32Array.from(philox(key, BigInt(number), dim), (word) => {
        const share = (Number(word >> 12n) + 0.5) * 2 ** -52;
        return kind === "uniform" ? 2 * share - 1 : quantile(share);
    });
}

// From one latent to another: normal ones on a great circle (visual/walk.py), uniform ones straight
function between(a, b, t, kind) {
    const straight = a.map((x, n) => (1 - t) * x + t * b[n]);
    const lengths = [a, b].map((x) => Math.hypot(...x)), mixed = (1 - t) * lengths[0] + t * lengths[1];
    const cosine = a.reduce((sum, x, n) => sum + x * b[n], 0) / (lengths[0] * lengths[1] || 1);
    const angle = Math.acos(Math.min(1, Math.max(-1, cosine))), sine = Math.sin(angle);
    if (kind === "uniform" || sine < 1e-4 || !lengths[0] || !lengths[1]) return straight;
    const first = Math.sin((1 - t) * angle) / lengths[0], second = Math.sin(t * angle) / lengths[1];
    return a.map((x, n) => mixed * (first * x + second * b[n]) / sine);
}

"use strict";
// What the page does. Pictures are made in workers, so that it stays at hand while they are.

(() => {
    const $ = (what) => document.querySelector(what);
    const root = document.documentElement, data = JSON.parse($("#data").textContent);
    const {size, channels, classes, directions} = data, {dim, kind} = data.latent, REACH = 4, FRAMES = 32;

    // Workers, each with a generator of its own; what is asked for first of the most urgent is made first
    const tail = `onmessage = async ({data: it}) => {
        if (it.program) { ready = constantsOf(it.bytes, it.program.lengths, it.program.halves).then((all) => generatorOf(it.program, all)); return; }
        try {
            const make = await ready, start = performance.now();
            const pixels = pixelsOf(make(it.latent, it.label), it.channels, it.size);
            postMessage({pixels, ms: performance.now() - start}, [pixels.buffer]);
        } catch (problem) { postMessage({problem: String(problem)}); }
    }; let ready;`;
    const waiting = [], idle = [];
    const wrong = (problem) => { $("#wrong").textContent = `This browser cannot run it: ${problem}`; $("#wrong").hidden = false; };

    function hire() {
        const bytes = Uint8Array.from(atob($("#weights").textContent), (sign) => sign.charCodeAt(0));
        const address = URL.createObjectURL(new Blob([$("#engine").textContent, tail], {type: "text/javascript"}));
        const count = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1));
        for (let n = 0; n < count; n++) {
            const worker = new Worker(address);
            worker.onerror = (event) => wrong(event.message || "a worker failed");
            worker.postMessage({program: data.program, bytes});
            idle.push(worker);
        }
        serve();
    }

    function serve() {
        while (idle.length && waiting.length) {
            waiting.sort((a, b) => a.rank - b.rank);
            const worker = idle.pop(), job = waiting.shift();
            worker.onmessage = ({data: made}) => {
                idle.push(worker);
                if (made.problem) wrong(made.problem); else job.done(made);
                serve();
            };
            worker.postMessage({latent: job.latent, label: job.label, size, channels});
        }
    }

    const ask = (latent, label, rank) => new Promise((done) => { waiting.push({latent, label, rank, done}); serve(); });

    function draw(canvas, pixels) {
        if (canvas.width !== size) canvas.width = canvas.height = size;
        canvas.getContext("2d").putImageData(new ImageData(pixels, size, size), 0, 0);
    }

    // For each canvas only the last wish counts: while one is being made, later ones wait and replace each other
    const wishes = new Map();
    function wish(canvas, latent, label, then = () => {}) {
        const next = {latent, label, then};
        if (wishes.has(canvas)) { wishes.set(canvas, next); return; }
        wishes.set(canvas, null);
        canvas.setAttribute("aria-busy", "true");
        ask(latent, label, 0).then((made) => {
            draw(canvas, made.pixels);
            then(made);
            const later = wishes.get(canvas);
            wishes.delete(canvas);
            if (later) wish(canvas, later.latent, later.label, later.then); else canvas.removeAttribute("aria-busy");
        });
    }

    // The picture that is shown: seed, number and class, and how far it went along each direction
    const state = {seed: "0", number: 0, of: null, moves: directions.map(() => 0), ends: {}, times: []};
    const labelOf = (number) => !classes.length ? 0 : state.of === null ? number % classes.length : state.of;
    const latent = () => latentOf(state.seed, state.number, dim, kind).map((x, n) =>
        x + directions.reduce((sum, direction, at) => sum + state.moves[at] * direction[n], 0));
    const caption = () => [`Seed ${state.seed}, number ${state.number}`, ...(classes.length ? [classes[labelOf(state.number)]] : []),
        ...(state.moves.some(Boolean) ? ["moved"] : [])].join(" · ");

    function show() {
        $("#number").value = state.number;
        $("#seed").value = state.seed;
        $("#back").disabled = state.number === 0;
        $("#code-seed").textContent = state.seed;
        $("#code-count").textContent = state.number + 1;
        const text = caption();
        wish($("#picture"), latent(), labelOf(state.number), ({ms}) => {
            $("#caption").textContent = text;
            state.times = [...state.times, ms].slice(-9);
            const middle = [...state.times].sort((a, b) => a - b)[state.times.length >> 1];
            $("#time").textContent = `${middle < 10 ? middle.toFixed(1) : Math.round(middle)} ms on this machine`;
        });
        document.querySelectorAll("#grid button").forEach((it) => it.setAttribute("aria-current", String(+it.dataset.number === state.number)));
    }

    function level() {
        state.moves.fill(0);
        document.querySelectorAll("#sliders input").forEach((it) => { it.value = 0; it.oninput(null); });
    }

    function go(number) {
        state.number = number;
        level();
        show();
    }

    // Latents that a file of `sample --latents` or a test gives, in place of a seed's
    window.steadygan = {latentOf: (seed, number) => latentOf(seed, number, dim, kind), make: (given, label = 0) => ask(Float32Array.from(given), label, 0)};

    // Directions
    directions.forEach((direction, at) => {
        const line = $("#sliders").appendChild(document.createElement("label"));
        line.className = "slider";
        const [name, slider, value] = ["span", "input", "output"].map((tag) => line.appendChild(document.createElement(tag)));
        name.textContent = at + 1;
        Object.assign(slider, {type: "range", min: -REACH, max: REACH, step: 0.1, value: 0, ariaLabel: `Direction ${at + 1}`});
        slider.oninput = (event) => {
            state.moves[at] = Number(slider.value);
            value.textContent = state.moves[at] ? state.moves[at].toFixed(1).replace("-", "−") : "0";
            if (event) show();
        };
        slider.ondblclick = () => { slider.value = 0; slider.oninput(true); };
        slider.oninput(null);
    });
    $("#level").onclick = () => { level(); show(); };

    // Seed, number, class
    const whole = (field, then) => {
        field.oninput = () => {
            const good = /^-?\d{1,18}$/.test(field.value.trim()) && (field.id === "seed" || +field.value >= 0);
            field.setAttribute("aria-invalid", String(!good));
            if (good) then(field.value.trim());
        };
    };
    whole($("#seed"), (text) => { state.seed = String(BigInt(text)); level(); show(); fill(); });
    whole($("#number"), (text) => go(Number(text)));
    if ($("#class")) $("#class").onchange = () => { state.of = $("#class").value === "" ? null : Number($("#class").value); show(); fill(); };
    $("#new").onclick = $("#frame").onclick = () => go(state.number + 1);
    $("#back").onclick = () => go(Math.max(0, state.number - 1));

    // More pictures
    let first = 0, filling = 0;
    const COUNT = matchMedia("(max-width: 760px)").matches ? 16 : 27;
    for (let n = 0; n < COUNT; n++) {
        const button = $("#grid").appendChild(document.createElement("button"));
        button.type = "button";
        draw(button.appendChild(document.createElement("canvas")), new Uint8ClampedArray(4 * size * size));
        button.onclick = () => { go(Number(button.dataset.number)); $("#stage").scrollIntoView({block: "start"}); };
    }
    function fill() {
        const turn = ++filling;
        waiting.splice(0, waiting.length, ...waiting.filter((job) => job.rank === 0));
        $("#earlier").disabled = first === 0;
        [...$("#grid").children].forEach((button, n) => {
            const number = first + n, canvas = button.firstChild;
            button.dataset.number = number;
            button.ariaLabel = `Number ${number}`;
            button.setAttribute("aria-current", String(number === state.number));
            canvas.className = "waiting";
            ask(latentOf(state.seed, number, dim, kind), labelOf(number), 1 + n).then(({pixels}) => {
                if (turn !== filling) return;
                draw(canvas, pixels);
                canvas.className = "";
            });
        });
    }
    $("#later").onclick = () => { first += COUNT; fill(); };
    $("#earlier").onclick = () => { first = Math.max(0, first - COUNT); fill(); };

    // Between two pictures
    const at = (t) => between(state.ends.a.latent, state.ends.b.latent, t, kind);
    const labelAt = (t) => state.ends[t < 0.5 ? "a" : "b"].label;
    const middle = () => { const t = Number($("#way").value); wish($("#middle"), at(t), labelAt(t)); };
    function keep(end, given = latent(), label = labelOf(state.number)) {
        state.ends[end] = {latent: given, label};
        wish($(`#${end}`), given, label);
        if (state.ends.a && state.ends.b) middle();
    }
    $("#keep-a").onclick = () => keep("a");
    $("#keep-b").onclick = () => keep("b");
    $("#way").oninput = middle;
    let playing = 0;
    $("#play").onclick = () => {
        const on = !playing;
        $("#play").setAttribute("aria-pressed", String(on));
        $("#play").textContent = on ? "Pause" : "Play";
        if (!on) { cancelAnimationFrame(playing); playing = 0; return; }
        const start = performance.now() - Math.acos(1 - 2 * Number($("#way").value)) / Math.PI * 3000;
        const step = (now) => {
            $("#way").value = (1 - Math.cos((now - start) / 3000 * Math.PI)) / 2;
            middle();
            playing = requestAnimationFrame(step);
        };
        playing = requestAnimationFrame(step);
    };

    // Files
    const save = (blob, name) => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(blob);
        link.download = `${data.name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-${name}`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    };
    $("#png").onclick = () => $("#picture").toBlob((blob) => save(blob, `seed${state.seed}-${state.number}.png`), "image/png");
    $("#gif").onclick = async () => {
        const button = $("#gif"), by = Math.max(1, Math.round(256 / size));
        button.disabled = true;
        let done = 0;
        const frames = await Promise.all(Array.from({length: FRAMES}, (_, n) => (1 - Math.cos(2 * Math.PI * n / FRAMES)) / 2)
            .map((t) => ask(at(t), labelAt(t), 0.5).then(({pixels}) => {
                button.textContent = `${++done} of ${FRAMES}`;
                return enlarged(pixels, size, by);
            })));
        save(gifOf(frames, size * by, 8), "walk.gif");
        button.textContent = "Save GIF";
        button.disabled = false;
    };

    // Light and dark
    const KEY = "steadygan-theme";
    const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    try { const stored = localStorage.getItem(KEY); if (stored === "dark" || stored === "light") root.dataset.theme = stored; } catch { /* a file may have no storage */ }
    $("#theme").onclick = () => {
        root.dataset.theme = dark() ? "light" : "dark";
        try { localStorage.setItem(KEY, root.dataset.theme); } catch { /* as above */ }
    };

    if (typeof DecompressionStream === "undefined") { wrong("it is older than 2023"); return; }
    try { hire(); } catch (problem) { wrong(problem); return; }
    show();
    ["a", "b"].forEach((end, n) => keep(end, latentOf("0", n, dim, kind), labelOf(n)));
    fill();
})();

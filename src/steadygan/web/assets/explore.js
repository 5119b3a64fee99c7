// The latent explorer. The server makes the pictures; of what waits for one place on the page only the last wish counts.

import { $, all, given, h, post, say } from "/assets/studio.js";

const run = given(), REACH = 4, COUNT = 16, LEG = 12, MOST_STATIONS = 4;
const base = `/api/runs/${run.id}/explore`, tab = Math.random().toString(36).slice(2);
const FRESH = { seed: "0", number: "0", label: null, latent: "", moves: [], mean: 0 };
const about = { checkpoint: "", images: 0, batch: COUNT, classes: [], truncates: false, ways: [] };
let state = { ...FRESH }, which = "best", stations = [], first = "0";

// Asking

const wrong = (problem) => {
    if (problem?.name === "AbortError") return;
    $("#wrong").textContent = problem ? problem.message : "";
    $("#wrong").hidden = !problem;
    if (problem) $("#wrong").scrollIntoView({ block: "nearest" }); // what failed may be far below
};

/** Asks for one place of the page, one request at a time; null for a wish that a newer one replaced before it was sent. */
function viewOf(name, rank) {
    let wishes = 0, last = Promise.resolve();
    return (what, body = {}) => {
        const mine = ++wishes;
        const answer = last.catch(() => {}).then(async () => {
            while (mine === wishes) {
                const found = await post(`${base}/${what}`, { which: about.checkpoint || which, view: `${tab} ${name}`, rank, ...body });
                if (!found.superseded) return found;
                await new Promise((done) => setTimeout(done, 300)); // another run was looked at meanwhile
            }
            return null;
        });
        last = answer;
        return answer;
    };
}
const views = Object.fromEntries(["picture", "between", "walk", "grid", "film"].map((name, rank) => [name, viewOf(name, rank)]));
const png = (text) => `data:image/png;base64,${text}`;
const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const coded = (numbers) => {
    let text = "";
    new Uint8Array(Float32Array.from(numbers).buffer).forEach((byte) => { text += String.fromCharCode(byte); });
    return btoa(text);
};

/** What the server calls a spot: where in latent space a picture is. */
function spotOf(it) {
    const moved = it.moves.some(Boolean) && about.ways.length;
    const shift = moved ? coded(about.ways[0].map((_, n) => about.ways.reduce((sum, way, at) => sum + (it.moves[at] ?? 0) * way[n], 0))) : "";
    return { seed: it.seed, number: it.number, label: it.label, latent: it.latent, shift, truncation: 1 - it.mean / 100 };
}

// The picture and its address

const classOf = (it) => about.classes[it.label ?? Number(BigInt(it.number) % BigInt(about.classes.length))];
const captionOf = (it) => [
    ...(it.latent ? ["From a photo"] : [`Seed ${it.seed}, number ${it.number}`]),
    ...(about.classes.length ? [classOf(it)] : []),
    ...(it.moves.some(Boolean) ? ["moved"] : []),
    ...(it.mean ? [`${it.mean} % toward the mean`] : []),
].join(" · ");

function addressOf(it) {
    const asked = new URLSearchParams();
    if (it.latent) asked.set("photo", "1");
    else { asked.set("seed", it.seed); asked.set("number", it.number); }
    if (it.label !== null) asked.set("class", it.label);
    if (it.moves.some(Boolean)) asked.set("moves", it.moves.join(","));
    if (it.mean) asked.set("mean", it.mean);
    if (which !== "best") asked.set("checkpoint", which);
    return `?${asked.toString().replaceAll("%2C", ",")}${it.latent ? `#${it.latent}` : ""}`;
}

function stateOf(address) {
    const asked = new URL(address).searchParams, whole = (text) => /^\d{1,17}$/.test(text ?? "");
    const label = asked.get("class"), mean = Number(asked.get("mean"));
    return {
        seed: /^-?\d{1,17}$/.test(asked.get("seed") ?? "") ? asked.get("seed") : "0",
        number: whole(asked.get("number")) ? asked.get("number") : "0",
        label: whole(label) && Number(label) < 1e6 ? Number(label) : null,
        latent: asked.has("photo") ? decodeURIComponent(new URL(address).hash.slice(1)) : "",
        moves: (asked.get("moves") ?? "").split(",").slice(0, 64).map((one) => Math.max(-REACH, Math.min(REACH, Number(one) || 0))),
        mean: mean >= 0 && mean <= 100 ? mean : 0,
    };
}

let newest = 0, later = 0;
const here = () => history.state?.at ?? 0;
function write(push) {
    const at = here() + (push ? 1 : 0);
    if (push) newest = at;
    history[push ? "pushState" : "replaceState"]({ at, newest }, "", addressOf(state));
    buttons();
}
function buttons() {
    $("#back").disabled = here() === 0;
    $("#forward").disabled = here() >= newest;
}

async function show() {
    fields();
    const text = captionOf(state), of = { ...state };
    $("#picture").setAttribute("aria-busy", "true");
    try {
        const found = await views.picture("paint", { spots: [spotOf(of)] });
        if (!found) return;
        $("#picture").src = png(found.pictures[0]);
        $("#picture").alt = text;
        $("#caption").textContent = text;
        wrong();
    } catch (problem) { wrong(problem); }
    if (captionOf(state) === text) $("#picture").removeAttribute("aria-busy");
}

/** Goes to another picture: a step of the history, or in place of the last one. */
function go(to, push = true) {
    const before = state;
    state = { ...state, latent: "", moves: [], ...to };
    clearTimeout(later);
    write(push);
    show();
    if (turned() || state.seed !== before.seed || state.label !== before.label) fill();
}

/** Changes the picture at hand; its address follows. */
function change(to) {
    state = { ...state, ...to };
    clearTimeout(later); // browsers allow some changes of an address a second
    later = setTimeout(() => write(false), 250);
    show();
}

const signed = (x) => (x ? Number(x).toFixed(1).replace("-", "−") : "0");
function fields() {
    for (const name of ["seed", "number"]) {
        const field = $(`#${name}`);
        if (document.activeElement !== field) { field.value = state[name]; field.removeAttribute("aria-invalid"); }
    }
    $("#class").value = state.label ?? "";
    $("#mean").value = state.mean;
    $("#mean").nextElementSibling.textContent = `${state.mean} %`;
    all("#sliders .slider").forEach((line, at) => {
        $("input", line).value = state.moves[at] ?? 0;
        $("output", line).textContent = signed(state.moves[at] ?? 0);
    });
    all("#grid button").forEach((it) => it.setAttribute("aria-current", String(!state.latent && it.dataset.number === state.number)));
    const commands = commandsOf();
    $("#same").hidden = !commands.length;
    $("#command").textContent = commands.join("\n");
}

/** What makes the same in a terminal: pictures of seeds, as far as they were not moved. */
function commandsOf() {
    const plain = (it) => !it.latent && !it.mean && !it.moves.some(Boolean);
    const alike = stations.length > 1 && stations.every((it) => plain(it) && it.seed === stations[0].seed && it.label === stations[0].label);
    const line = (it, picked, out) => `${run.command}${which === "best" ? "" : ` --checkpoint ${which}`}${it.label === null ? "" : ` --class ${it.label}`} --seed ${it.seed} --pick ${picked} -o ${out}`;
    return [
        ...(plain(state) ? [line(state, state.number, "picture/")] : []),
        ...(alike && !about.classes.length ? [line(stations[0], stations.map((it) => it.number).join(","), "walk.gif")] : []),
    ];
}

const bigger = (number, by) => String(BigInt(number) + BigInt(by));
$("#new").onclick = $("#frame").onclick = () => go({ number: bigger(state.number, 1) });
$("#back").onclick = () => history.back();
$("#forward").onclick = () => history.forward();
addEventListener("popstate", () => {
    const before = state, asked = new URL(location).searchParams.get("checkpoint") ?? "best";
    clearTimeout(later);
    state = stateOf(location.href);
    buttons();
    if (asked !== which) { open(asked); return; }
    show();
    if (turned() || state.seed !== before.seed || state.label !== before.label) fill();
});

function whole(field, pattern, then) {
    let typing = false; // what is typed is one step
    field.oninput = () => {
        const text = field.value.trim(), good = pattern.test(text);
        field.setAttribute("aria-invalid", String(!good));
        if (!good) return;
        then(String(BigInt(text)), !typing);
        typing = true;
    };
    field.onblur = () => { typing = false; fields(); };
}
whole($("#seed"), /^-?\d{1,17}$/, (seed, push) => go({ seed }, push));
whole($("#number"), /^\d{1,17}$/, (number, push) => go({ number }, push));
$("#class").onchange = () => go({ label: $("#class").value === "" ? null : Number($("#class").value), latent: state.latent, moves: state.moves });

// Directions and the mean

$("#mean").oninput = () => change({ mean: Number($("#mean").value) });
$("#level").onclick = () => change({ moves: [], mean: 0 });

function sliders() {
    $("#sliders").replaceChildren(...about.ways.map((_, at) => {
        const slider = h("input", { type: "range", min: -REACH, max: REACH, step: 0.1, value: 0, "aria-label": `Direction ${at + 1}` });
        const move = (value) => change({ moves: about.ways.map((_, n) => (n === at ? value : state.moves[n] ?? 0)) });
        slider.oninput = () => move(Number(slider.value));
        slider.ondblclick = () => move(0);
        return h("label", { class: "slider numbered" }, h("span", {}, at + 1), slider, h("output", {}, "0"));
    }));
    fields();
}

async function findWays() {
    const of = about.checkpoint;
    $("#ways-say").textContent = "Looking for the ways along which the pictures change most …";
    try {
        const { ways } = await post(`${base}/ways`, { which: of });
        if (of !== about.checkpoint) return;
        about.ways = ways;
        $("#ways-say").textContent = "Ways through latent space along which the pictures change most, the strongest first.";
        sliders();
        if (state.moves.some(Boolean)) show();
    } catch (problem) {
        $("#ways-say").textContent = `There are none: ${problem.message}`;
    }
}

// The grid

let filling = 0;
const tiles = Array.from({ length: COUNT }, () => {
    const image = h("img", { alt: "", width: run.size, height: run.size });
    const button = h("button", { type: "button" }, image);
    button.onclick = () => { go({ number: button.dataset.number }); $("#stage").scrollIntoView({ block: "start" }); };
    return button;
});
$("#grid").append(...tiles);

/** Turns the grid to the page of the picture above; whether it was on another. */
function turned() {
    const number = BigInt(state.number), at = BigInt(first);
    if (state.latent || (number >= at && number < at + BigInt(COUNT))) return false;
    first = String(number - number % BigInt(COUNT));
    return true;
}

async function fill() {
    const turn = ++filling;
    $("#earlier").disabled = first === "0";
    tiles.forEach((tile, n) => {
        tile.dataset.number = bigger(first, n);
        tile.setAttribute("aria-label", `Number ${tile.dataset.number}`);
        tile.classList.add("waiting");
    });
    fields();
    const { seed, label } = state, step = Math.max(1, about.batch);
    try {
        for (let at = 0; at < COUNT; at += step) { // a batch at a time, so that the picture above can come between
            const spots = tiles.slice(at, at + step).map((tile) => spotOf({ ...FRESH, seed, label, number: tile.dataset.number }));
            const found = await views.grid("paint", { spots });
            if (!found || turn !== filling) return;
            found.pictures.forEach((picture, n) => {
                $("img", tiles[at + n]).src = png(picture);
                tiles[at + n].classList.remove("waiting");
            });
        }
    } catch (problem) { wrong(problem); }
}
$("#later").onclick = () => { first = bigger(first, COUNT); fill(); };
$("#earlier").onclick = () => { first = BigInt(first) > COUNT ? bigger(first, -COUNT) : "0"; fill(); };

// The walk: its pictures are fetched once, and then shown at any pace

let frames = [], walking = 0;
$("#keep").onclick = () => {
    if (stations.length === MOST_STATIONS) { say(`A walk has ${MOST_STATIONS} pictures at most; take one away first.`, "wrong"); return; }
    stations = [...stations, { ...state, picture: $("#picture").src, caption: captionOf(state) }];
    say(`Station ${stations.length} of the walk.`);
    walk();
};

async function walk() {
    const turn = ++walking, count = stations.length > 1 ? stations.length * LEG : 0;
    pause();
    frames = [];
    $("#way-part").hidden = $("#between").hidden = !count;
    $("#walk-say").textContent = count ? "From each picture to the next, and back to the first." : stations.length ? "One more, and there is a way." : "Send two to four pictures here, and go from one to the next.";
    $("#stations").replaceChildren(...stations.map((it, n) => {
        const drop = h("button", { type: "button", "aria-label": `Take away station ${n + 1}, ${it.caption}` }, "×");
        drop.onclick = () => { stations = stations.filter((other) => other !== it); walk(); $("#keep").focus(); };
        const back = h("button", { type: "button", class: "tile", "aria-label": `See station ${n + 1} above, ${it.caption}` }, h("img", { src: it.picture, alt: "", width: run.size, height: run.size }));
        back.onclick = () => go({ seed: it.seed, number: it.number, label: it.label, latent: it.latent, moves: it.moves, mean: it.mean });
        return h("li", {}, back, drop);
    }));
    fields();
    if (!count) return;
    Object.assign($("#way"), { max: count - 1, value: 0 });
    $("#between").src = stations[0].picture;
    $("#way-part").setAttribute("aria-busy", "true");
    const asked = { stations: stations.map(spotOf), frames: LEG, count: Math.max(2, about.batch) };
    try {
        while (frames.length < count) {
            const found = await views.walk("walk", { ...asked, first: frames.length });
            if (!found || turn !== walking) return;
            frames.push(...found.pictures.map(png));
            along();
        }
        $("#way-part").removeAttribute("aria-busy");
    } catch (problem) { wrong(problem); }
}

function along() {
    const at = Number($("#way").value), station = (Math.round(at / LEG) % Math.max(1, stations.length)) + 1;
    if (frames[at]) $("#between").src = frames[at];
    $("#way").setAttribute("aria-valuetext", `picture ${at + 1} of ${Number($("#way").max) + 1}, near station ${station}`);
}
$("#way").oninput = along;

let playing = 0;
function pause() {
    cancelAnimationFrame(playing);
    playing = 0;
    $("#walk-play").textContent = "Play";
    $("#walk-play").setAttribute("aria-pressed", "false");
}
$("#walk-play").onclick = () => {
    if (playing) { pause(); return; }
    $("#walk-play").textContent = "Pause";
    $("#walk-play").setAttribute("aria-pressed", "true");
    const start = performance.now() - Number($("#way").value) * 80;
    const step = (now) => {
        const at = Math.max(0, Math.floor((now - start) / 80)) % (stations.length * LEG);
        if (at < frames.length) { $("#way").value = at; along(); }
        playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
};

// Files

function save(content, kind, name) {
    const link = h("a", { href: URL.createObjectURL(new Blob([content], { type: kind })), download: `${run.name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-${name}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
async function busily(button, act) {
    const text = button.textContent;
    Object.assign(button, { disabled: true, textContent: "A moment …" });
    try { await act(); } catch (problem) { wrong(problem); } finally { Object.assign(button, { disabled: false, textContent: text }); }
}
$("#png").onclick = () => busily($("#png"), async () => {
    const found = await views.film("paint", { spots: [spotOf(state)], exact: true });
    if (found) save(bytes(found.pictures[0]), "image/png", `${state.latent ? "photo" : `seed${state.seed}-${state.number}`}.png`);
});
$("#gif").onclick = () => busily($("#gif"), async () => {
    const found = await views.film("film", { stations: stations.map(spotOf) });
    if (found) save(bytes(found.gif), "image/gif", "walk.gif");
});
$("#between-png").onclick = () => {
    const address = $("#between").src;
    save(bytes(address.slice(address.indexOf(",") + 1)), "image/png", `walk-${$("#way").value}.png`);
};

// A photo: its bytes go to the server, lines on how far it is come back

let looking = null, nearest = null;
async function look(file) {
    if (!file || looking) return;
    if (file.size > 20e6) { wrong(new Error(`${file.name} is larger than 20 MB; choose a smaller photo`)); return; }
    looking = new AbortController();
    wrong();
    $("#looking").hidden = false;
    $("#progress").removeAttribute("value");
    $("#how-far").textContent = "getting ready";
    const asked = new URLSearchParams({ which: about.checkpoint || which, ...(state.label === null ? {} : { class: state.label }) });
    try {
        const token = document.querySelector('meta[name="studio-token"]').content;
        const response = await fetch(`${base}/photo?${asked}`, { method: "POST", headers: { "X-Studio-Token": token, "Content-Type": "application/octet-stream" }, body: file, signal: looking.signal });
        if (!response.ok) throw new Error((await response.json()).error);
        let held = "";
        for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); ;) {
            const { done, value } = await reader.read();
            if (done) break;
            const lines = (held + value).split("\n");
            held = lines.pop();
            lines.map((line) => JSON.parse(line)).forEach(looked);
        }
    } catch (problem) {
        wrong(problem.name === "TypeError" ? new Error("the studio does not answer; is it still running?") : problem);
    }
    looking = null;
    $("#file").value = "";
    $("#looking").hidden = true;
}
function looked(it) {
    if (it.error) throw new Error(it.error);
    if (it.total) {
        $("#progress").value = it.done / it.total;
        $("#how-far").textContent = `${Math.round(100 * it.done / it.total)} %`;
        return;
    }
    nearest = { latent: it.latent, label: it.label, moves: [], mean: 0 };
    $("#photo").src = png(it.photo);
    $("#nearest").src = png(it.picture);
    $("#found").hidden = false;
    $("#found-say").textContent = `It is ${it.distance.toFixed(1)} of 255 levels away; random pictures are ${it.random.toFixed(1)} away.${it.far ? " That is far: the generator was not found to make anything like it." : ""}`;
    go(nearest);
    say("The nearest picture is found.");
}
$("#file").onchange = () => look($("#file").files[0]);
$("#stop").onclick = () => looking?.abort();
$("#go-on").onclick = () => { go(nearest); $("#stage").scrollIntoView({ block: "start" }); };
$("#drop").ondragover = (event) => { event.preventDefault(); $("#drop").classList.add("over"); };
$("#drop").ondragleave = () => $("#drop").classList.remove("over");
$("#drop").ondrop = (event) => { event.preventDefault(); $("#drop").classList.remove("over"); look(event.dataTransfer.files[0]); };

// The checkpoint

async function open(name, fresh = false) {
    which = name;
    about.checkpoint = "";
    about.ways = [];
    sliders();
    $("#which").value = name;
    $("#checkpoint").textContent = "";
    try {
        Object.assign(about, await views.picture("describe", { which: name, fresh }));
    } catch (problem) {
        wrong(problem);
        $("#caption").textContent = "There is no picture";
        $("#ways-say").textContent = "";
        return;
    }
    $("#checkpoint").textContent = `· after ${about.images.toLocaleString("en")} images`;
    $("#mean-part").hidden = !about.truncates;
    $("#class-part").hidden = !about.classes.length;
    $("#class").replaceChildren(h("option", { value: "" }, "all in turn"), ...about.classes.map((name, n) => h("option", { value: n }, name)));
    if (state.label >= about.classes.length) state = { ...state, label: null };
    turned();
    await show();
    await Promise.all([fill(), walk()]);
    findWays();
}
$("#which").onchange = () => { which = $("#which").value; write(false); open(which); };
$("#look-again").onclick = () => open(which, true);

const asked = new URL(location).searchParams.get("checkpoint") ?? "best";
if (![...$("#which").options].some((it) => it.value === asked)) $("#which").append(h("option", {}, asked));
state = stateOf(location.href);
newest = history.state?.newest ?? 0;
which = asked;
write(false);
open(asked);

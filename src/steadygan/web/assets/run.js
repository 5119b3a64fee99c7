import { Charts, scoreSpecs } from "/assets/charts.js";
import { card, keyOf, ordered } from "/assets/findings.js";
import { player } from "/assets/player.js";
import { $, TONES, all, duration, followJob, getJson, given, h, post, say, thousands } from "/assets/studio.js";

const { id } = given(), api = `/api/runs/${id}`;
const MOST = 8000; // places on the axis before the server is asked for fewer
const PATIENCE = 60_000; // ms for a run to save itself
let waiting = 0, moment = null, running = false, ended = "", best = null, marks = [], curves = null, scores = [];

const text = (selector, value) => { const node = $(selector); if (node.textContent !== value) node.textContent = value; };

/** The run is stopped, or did not heed it: the button is for another time. */
function rested() {
    clearTimeout(waiting);
    $("#stop").disabled = false;
    text("#stop", "Stop and save");
}

// --- pictures -----------------------------------------------------------------------------------------------------

const grid = $("#grid"), loader = new Image();

function address(images) {
    return `/runs/${id}/samples/${$("#fresh").checked ? "random-" : ""}${String(images).padStart(9, "0")}.png`;
}

function showGrid() {
    const wanted = moment === null ? "" : address(moment);
    $("#no-grid").hidden = Boolean(wanted);
    grid.hidden = !wanted;
    if (!wanted || grid.getAttribute("src") === wanted) return;
    const seen = moment;
    // the picture that is seen stays until the next is there
    loader.onload = () => {
        grid.src = wanted;
        grid.alt = `pictures after ${thousands(seen)} images`;
        grid.classList.toggle("crisp", grid.clientWidth >= 2 * loader.naturalWidth);
    };
    loader.onerror = () => { if (seen === moment) { $("#no-grid").hidden = false; $("#no-grid").textContent = "This picture is missing."; grid.hidden = true; } };
    if (!grid.getAttribute("src")) { grid.src = wanted; grid.alt = `pictures after ${thousands(moment)} images`; }
    loader.src = wanted;
}

const play = player({ goTo(images) {
    moment = images;
    showGrid();
    charts.goTo(moment);
    return `${thousands(moment)} images${moment === best ? " ★" : ""}`;
} });
$("#fresh").addEventListener("change", showGrid);

// --- curves ------------------------------------------------------------------------------------------------------

const charts = new Charts($("#plots"), $("#whole"), (images) => play.goTo(images));

function drawCurves() {
    const specs = scoreSpecs([{ name: "generated", scores }]);
    const lost = marks.filter((mark) => mark.back_to !== null).map((mark) => [mark.back_to, mark.images]);
    if (curves) specs.push(...curves.panels.map((panel) => ({ ...panel, x: curves.images, lines: panel.curves, lost })));
    charts.end = Math.max(1, curves?.images.at(-1) ?? 0, ...scores.flatMap((score) => score.images.slice(-1)));
    charts.marks = marks;
    specs.forEach((spec) => charts.show(spec));
    charts.keep(specs.map((spec) => spec.key));
    $("#no-curves").hidden = specs.length > 0;
    charts.redraw();
}

async function append(more) {
    // the end of every curve is replaced from where something new is known
    const known = curves && more.panels.every((panel) => curves.panels.some((it) => it.key === panel.key && panel.curves.every((line) => it.curves.some((mine) => mine.name === line.name))));
    if (!known || more.from < 0 || curves.images.length > MOST) {
        curves = more.from < 0 ? more : await getJson(`${api}/curves`);
        return drawCurves();
    }
    let keep = curves.images.length;
    while (keep && curves.images[keep - 1] > more.from) keep--;
    curves.images.splice(keep, Infinity, ...more.images);
    for (const panel of curves.panels) {
        const grown = more.panels.find((it) => it.key === panel.key);
        for (const line of panel.curves) {
            const values = grown?.curves.find((it) => it.name === line.name)?.values;
            line.values.splice(keep, Infinity, ...(values ?? more.images.map(() => null)));
        }
    }
    return drawCurves();
}

// --- what the server tells -----------------------------------------------------------------------------------------

const cards = new Map();

const news = {
    curves(value) { curves = value; drawCurves(); },
    more: append,
    state(value) {
        running = value.state === "running";
        text("#ended", running ? "" : ended);
        text("#state", value.state);
        $("#state").className = `chip ${TONES[value.state] ?? "quiet"}`;
        $("#stop").hidden = !running;
        if (!running) rested();
        $("#resume").hidden = running;
        text("#images", thousands(value.images));
        text("#rate", value.rate ? value.rate.toPrecision(3).replace(/\.0+$/, "") : "–");
        text("#seconds", duration(value.seconds) || "–");
        text("#left", running ? duration(value.left ?? NaN) || "–" : value.share === null ? "–" : `${Math.round(100 * value.share)} %`);
        text("#left-label", running ? "time left" : "of its budget");
        const bar = $("#progress");
        bar.hidden = !running || value.share === null;
        bar.firstElementChild.style.width = `${100 * (value.share ?? 0)}%`;
        bar.setAttribute("aria-valuenow", Math.round(100 * (value.share ?? 0)));
        document.title = `${running && value.share !== null ? `${Math.round(100 * value.share)} % ` : ""}${$("h1").textContent} · steadygan studio`;
    },
    ended(value) { ended = value; text("#ended", running ? "" : ended); },
    report(value) { $("#report-link").hidden = !value; },
    samples(value) {
        if (!value.length) moment = null;
        play.moments(value);
        if (!value.length) showGrid();
    },
    best(value) { best = value; play.again(); },
    marks(value) {
        marks = value;
        const wanted = ordered(marks);
        for (const [key, it] of cards) if (!wanted.some((mark) => keyOf(mark) === key)) { it.remove(); cards.delete(key); }
        wanted.forEach((mark, at) => {
            const key = keyOf(mark), there = cards.get(key) ?? card(mark, (images) => play.goTo(images));
            cards.set(key, there);
            if ($("#cards").children[at] !== there) $("#cards").insertBefore(there, $("#cards").children[at] ?? null);
        });
        $("#healthy").hidden = marks.length > 0;
        drawCurves();
    },
    scores(value) { scores = value; drawCurves(); },
    notes(value) {
        $("#notes").replaceChildren(...[...value].reverse().map((note) => h("li", { class: `by-${note.author}` }, h("small", {}, `${note.author === "user" ? "you" : "the run"}, ${note.time.slice(0, 16).replace("T", " ")}, after ${thousands(note.images)} images`), h("p", {}, note.text))));
    },
    facts(value) { $("#facts").replaceChildren(...value.map(([label, it]) => h("div", {}, h("dt", {}, label), h("dd", {}, it)))); },
    commands(value) { $("#commands").replaceChildren(...value.map(([label, command]) => h("div", {}, h("p", { class: "quiet" }, label), h("pre", { tabindex: 0 }, h("code", {}, command))))); },
    checkpoints(value) {
        const select = $("#checkpoint"), now = select.value;
        select.replaceChildren(...["best", "latest", ...[...value].reverse()].map((name) => h("option", {}, name)));
        for (const it of all(".saved")) it.hidden = !value.length; // there is no generator before the first checkpoint
        select.value = ["best", "latest", ...value].includes(now) ? now : "best";
    },
    missing(value) { $("#missing").replaceChildren(...value.map((line) => h("li", {}, line))); },
    gone(value) { say(value, "wrong"); },
};

const CUT = "the studio does not answer, so nothing here is new; is it still running?";
let source = null, cut = false;

function listen() {
    // a browser has few connections to a server, and a tab that nobody sees needs none
    if (document.hidden) { source?.close(); source = null; return; }
    if (source) return;
    source = new EventSource(`${api}/events`);
    source.addEventListener("error", () => { if (!source || source.readyState === EventSource.OPEN) return; cut = true; say(CUT, "wrong"); });
    source.addEventListener("open", () => { if (cut) say("the studio is there again"); cut = false; });
    for (const [name, act] of Object.entries(news)) source.addEventListener(name, (event) => {
        document.documentElement.dataset.events = Number(document.documentElement.dataset.events ?? 0) + 1;
        act(JSON.parse(event.data));
    });
}
document.addEventListener("visibilitychange", listen);
addEventListener("pagehide", () => { source?.close(); source = null; });
addEventListener("pageshow", listen);
listen();

// --- what is done with the run -------------------------------------------------------------------------------------

function jobLine(job) {
    const line = h("span", {}), link = h("span", {}), state = h("b", {}, job.what);
    $("#jobs").prepend(h("li", {}, state, " ", line, " ", link));
    return (now) => {
        line.textContent = now.line;
        state.textContent = now.code === null ? `${job.what} …` : now.code === 0 ? `${job.what} ✓` : `${job.what} failed`;
        if (now.code === 0 && job.name) link.replaceChildren(h("a", { href: `/runs/${id}/exports/${encodeURIComponent(job.name)}` }, `save ${job.name}`));
    };
}

async function act(name, body) {
    try {
        const job = await post(`${api}/${name}`, body);
        const end = await followJob(job.id, jobLine(job));
        if (end.code) say(end.line || `${job.what} ended with ${end.code}`, "wrong");
        return end;
    } catch (problem) {
        say(problem.message, "wrong");
        return null;
    }
}

function form(name, body) {
    $(`#${name}`).addEventListener("submit", async (event) => {
        event.preventDefault();
        const button = $("button:not([type])", event.target);
        button.disabled = true;
        await act(name, body());
        button.disabled = false;
    });
}
form("resume", () => ({ [$("#unit").value]: $("#more").value.trim() }));
form("export", () => ({ form: $("#form").value, checkpoint: $("#checkpoint").value }));
form("report", () => ({}));
$("#note").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = $("#note-text");
    if (!field.value.trim()) return;
    try {
        await post(`${api}/note`, { text: field.value });
        field.value = "";
    } catch (problem) {
        say(problem.message, "wrong");
    }
});
// the scores of the last checkpoint take a while, and a second interrupt may end it without them
$("#stop").addEventListener("click", async () => {
    $("#stop").disabled = true;
    text("#stop", "Saving …");
    try {
        say((await post(`${api}/stop`)).stopping);
        waiting = setTimeout(rested, PATIENCE);
    } catch (problem) {
        say(problem.message, "wrong");
        rested();
    }
});
getJson(`${api}/jobs`).then(({ jobs }) => jobs.forEach((job) => (job.code === null ? followJob(job.id, jobLine(job)).catch(() => {}) : jobLine(job)(job))), () => {});

import { $, TONES, getJson, given, h, say, thousands } from "/assets/studio.js";

const PAGE = 60;
const cards = new Map(), chosen = new Set();
let runs = given(), most = PAGE;

// what was last chosen in the tools stays when the page is left, as long as the tab is there
const tools = ["find", "state", "sort", "group"].map((id) => $(`#${id}`));
const kept = JSON.parse(sessionStorage.getItem("studio-runs") ?? "{}");

const short = (number) => Number(number.toPrecision(4)).toString();

function card(run) {
    const made = {
        picture: h("img", { alt: "", loading: "lazy", decoding: "async", onerror: () => made.root.classList.add("bare"), onload: () => made.root.classList.remove("bare") }),
        box: h("input", { type: "checkbox", "aria-label": `choose ${run.name} to compare`, onchange: () => choose(run.id, made.box.checked) }),
        state: h("span", { class: "chip" }), name: h("b"), about: h("span"), nothing: h("span", { class: "nothing" }), facts: h("span"), note: h("em"), bar: h("i"),
    };
    made.root = h("article", { class: "run" },
        h("a", { href: `/runs/${run.id}` }, h("span", { class: "frame" }, made.picture, made.nothing), made.name, h("small", {}, made.about), h("small", {}, made.facts), h("small", {}, made.note)),
        h("header", {}, made.state, h("label", { class: "tick" }, made.box)), h("span", { class: "bar" }, made.bar));
    return made;
}

function text(node, value) {
    if (node.textContent !== value) node.textContent = value;
}

function fill(made, run) {
    text(made.name, run.name);
    text(made.state, run.state);
    made.state.className = `chip ${TONES[run.state] ?? "quiet"}`;
    text(made.about, run.wrong || [run.recipe, run.data, run.size > 1 && `${run.size} px`].filter(Boolean).join(" · "));
    text(made.facts, run.wrong ? "" : [`${thousands(run.images)} images`, run.score && Number.isFinite(run.score.value) && `${run.score.metric} ${short(run.score.value)}`].filter(Boolean).join(" · "));
    text(made.note, run.note);
    const share = run.state === "running" && run.share !== null;
    made.root.classList.toggle("live", share);
    made.bar.style.width = share ? `${100 * run.share}%` : "0";
    const address = `/runs/${run.id}/newest.webp?after=${run.images}`;
    text(made.nothing, run.wrong ? "cannot be read" : "no pictures yet");
    made.box.parentElement.hidden = Boolean(run.wrong);
    if (run.wrong) made.root.classList.add("bare");
    else if (made.picture.getAttribute("src") !== address) made.picture.src = address;
    made.box.checked = chosen.has(run.id);
}

const ORDERS = {
    created: (a, b) => (a.created < b.created ? 1 : -1),
    name: (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }),
    images: (a, b) => b.images - a.images,
    // the best first, of scores by one protocol; those by others follow, each together
    score: (a, b) => {
        if (!a.score || !b.score) return Number(!a.score) - Number(!b.score);
        const [one, other] = [a, b].map((it) => it.score.metric + it.score.protocol);
        return one === other ? (a.score.value - b.score.value) * (a.score.better === "higher" ? -1 : 1) : one < other ? -1 : 1;
    },
};

function draw() {
    const [find, state, sort, group] = tools;
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const like = (run) => words.every((word) => `${run.name} ${run.recipe} ${run.data} ${run.note}`.toLowerCase().includes(word));
    const found = runs.filter((run) => (!state.value || run.state === state.value) && like(run)).sort(ORDERS[sort.value]);
    const shown = found.slice(0, most), groups = new Map();
    for (const run of shown) {
        const key = group.checked ? run.digest || run.data : "";
        groups.set(key, [...(groups.get(key) ?? []), run]);
    }
    for (const run of shown) {
        const made = cards.get(run.id) ?? card(run);
        cards.set(run.id, made);
        fill(made, run);
    }
    // a list in the same order stays as it is, so that nothing jumps while somebody looks at it
    const place = $("#runs"), order = JSON.stringify([...groups].map(([key, members]) => [key, members.map((run) => run.id)]));
    if (place.dataset.order !== order) {
        place.dataset.order = order;
        const focused = document.activeElement;
        place.replaceChildren(...[...groups].flatMap(([key, members]) => [
            ...(group.checked ? [h("h2", {}, members.find((run) => run.data)?.data || "data unknown", h("small", {}, `${members.length} run${members.length > 1 ? "s" : ""}`))] : []),
            h("div", { class: "runs" }, members.map((run) => cards.get(run.id).root)),
        ]));
        if (place.contains(focused)) focused.focus({ preventScroll: true });
    }
    $("#none").hidden = shown.length > 0 || !runs.length;
    $("#more").hidden = found.length <= most;
    $("#more").textContent = `show ${Math.min(PAGE, found.length - most)} more of ${thousands(found.length)}`;
    $("#list").hidden = !runs.length;
    if (runs.length) $(".empty")?.remove();
}

function choose(id, on) {
    chosen[on ? "add" : "delete"](id);
    const link = $("#compare");
    $("#chosen").hidden = !chosen.size;
    $("#how-many").textContent = chosen.size === 1 ? "1 run chosen; choose another to compare" : `${chosen.size} runs chosen`;
    link.hidden = chosen.size < 2;
    link.href = `/compare?runs=${[...chosen].join()}`;
}

function states() {
    const there = [...new Set(runs.map((run) => run.state))].sort(), select = $("#state"), now = select.value || kept.state || "";
    select.replaceChildren(h("option", { value: "" }, "all"), ...there.map((it) => h("option", { value: it }, it)));
    select.value = there.includes(now) ? now : "";
}

async function refresh() {
    if (document.hidden) return;
    try {
        runs = (await getJson("/api/runs")).runs;
        for (const id of chosen) if (!runs.some((run) => run.id === id)) choose(id, false);
        for (const id of cards.keys()) if (!runs.some((run) => run.id === id)) cards.delete(id);
        states();
        draw();
    } catch (problem) {
        say(problem.message, "wrong");
    }
}

states();
for (const tool of tools) {
    if (tool.type === "checkbox") tool.checked = kept[tool.id] === true;
    else if (kept[tool.id] && tool.id !== "state") tool.value = kept[tool.id];
    tool.addEventListener(tool.type === "search" ? "input" : "change", () => {
        sessionStorage.setItem("studio-runs", JSON.stringify(Object.fromEntries(tools.map((it) => [it.id, it.type === "checkbox" ? it.checked : it.value]))));
        most = PAGE;
        draw();
    });
}
$("#tools").addEventListener("submit", (event) => event.preventDefault());
$("#more").addEventListener("click", () => { most += PAGE; draw(); });
$("#clear").addEventListener("click", () => { for (const id of [...chosen]) choose(id, false); draw(); });
draw();
setInterval(refresh, 5000);
document.addEventListener("visibilitychange", refresh);

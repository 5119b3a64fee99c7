// A new run: images, a recipe, settings; what it would take; its start.

import { $, all, duration, followJob, getJson, given, h, post, say, thousands } from "./studio.js";
import { Fields, Schema, changes, firstSentence, overlay, words } from "./settings.js";

const { sets, builtin } = given();
const USUAL = ["budget", "batch", "size", "seed"];
const LIMITS = ["images", "steps", "minutes"];
const FIRST = "Choose images first.";
const KEPT = "steadygan-new-run";
const state = { source: "", recipe: "", name: "", settings: {} };
const opened = new Set();
let recipes, schema, base, fields, turn = 0, checking = 0;

// ---- what was typed stays in the address, and for this tab

function remember() {
    const address = new URLSearchParams();
    for (const name of ["source", "recipe", "name"]) if (state[name]) address.set(name, state[name]);
    for (const [place, value] of Object.entries(state.settings)) address.append("set", `${place}=${JSON.stringify(value)}`);
    history.replaceState(null, "", address.size ? `?${address}` : location.pathname);
    sessionStorage.setItem(KEPT, address.toString());
}

function recall() {
    const address = new URLSearchParams(location.search.length > 1 ? location.search : (sessionStorage.getItem(KEPT) ?? ""));
    for (const name of ["source", "recipe", "name"]) state[name] = address.get(name) ?? "";
    for (const text of address.getAll("set")) {
        const at = text.indexOf("=");
        try {
            if (at > 0) state.settings[text.slice(0, at)] = JSON.parse(text.slice(at + 1));
        } catch {
            state.settings[text.slice(0, at)] = text.slice(at + 1);
        }
    }
}

// ---- the form

const entry = () => recipes.recipes.find((it) => it.name === state.recipe);
const at = (tree, place) => place.split(".").reduce((value, name) => value?.[name], tree);

function edited(place, value) {
    const tree = overlay(base, state.settings);
    const names = place.split(".");
    const last = names.pop();
    names.reduce((inner, name) => (inner[name] ??= {}), tree)[last] = value;
    state.settings = changes(tree, base);
    heal(place);
    changed();
}

/** The settings as the run would have them: a limit that is given replaces all of the recipe's. */
function shownTree() {
    const tree = overlay(base, state.settings);
    if (LIMITS.some((name) => (state.settings[`budget.${name}`] ?? null) !== null))
        for (const name of LIMITS) if (!(`budget.${name}` in state.settings)) tree.budget[name] = null;
    return tree;
}

function render() {
    const active = document.activeElement?.id;
    const tree = shownTree();
    const known = schema.root.properties;
    const row = (name) => fields.row(name, known[name], tree[name], name, schema.root);
    $("#usual").replaceChildren(...fields.inside(schema.node(known.budget), tree.budget, "budget"), ...["batch", "size", "seed"].map(row));
    const groups = Object.keys(known).filter((name) => !["recipe", ...USUAL].includes(name));
    const plain = groups.filter((name) => !schema.ways(known[name]).some((way) => ["object", "array"].includes(way.type)));
    $("#settings").replaceChildren(...groups.filter((name) => !plain.includes(name)).map((name) => group(name, known[name], tree[name], row(name))), ...plain.map(row));
    filter();
    if (active && !document.activeElement?.id) document.getElementById(active)?.focus();
}

function group(name, node, value, row) {
    const now = Array.isArray(value) ? value.map((it) => words(it.kind ?? "")).join(", ") || "none" : value?.kind ? words(value.kind) : firstSentence(schema.node(node).description);
    const own = Object.keys(state.settings).some((place) => place === name || place.startsWith(`${name}.`));
    const details = h("details", { class: "group", open: opened.has(name), ontoggle: (event) => (event.target.open ? opened.add(name) : opened.delete(name)) },
        h("summary", {}, h("b", {}, words(name)), h("span", {}, now), own ? h("span", { class: "chip" }, "changed") : null), row);
    return details;
}

function filter() {
    const wanted = $("#search").value.trim().toLowerCase().replaceAll(" ", "_");
    const only = $("#only").checked;
    const looking = wanted || only;
    let found = 0;
    for (const field of all("#settings .field")) {
        const own = (!wanted || field.dataset.words.replaceAll(" ", "_").includes(wanted)) && (!only || field.classList.contains("changed"));
        field.dataset.hit = own ? "1" : "";
        found += own;
    }
    for (const field of all("#settings .field")) field.hidden = looking && !field.dataset.hit && !$('[data-hit="1"]', field) && !field.parentElement.closest('[data-hit="1"]');
    for (const details of all("#settings details")) {
        details.hidden = looking && !$(".field:not([hidden])", details);
        if (looking && !details.hidden) details.open = true;
    }
    $("#nothing").hidden = !looking || found > 0;
}

function choose(name) {
    state.recipe = name;
    base = entry().config;
    const tree = overlay(base, state.settings);
    for (const [place, value] of Object.entries(state.settings)) state.settings[place] = schema.full(schema.at(place, tree), value);
    state.settings = changes(overlay(base, state.settings), base);
    const it = entry();
    $("#about").replaceChildren(
        ...(it.details ? [h("details", {}, h("summary", {}, `more about ${it.name}`), it.details.split("\n\n").map((text) => h("p", { class: "says" }, text)),
            it.sources.length ? h("ul", { class: "quiet" }, it.sources.map(([title, url]) => h("li", {}, /^https?:/.test(url) ? h("a", { href: url, rel: "noreferrer" }, title) : title))) : null)] : []),
    );
    for (const radio of all("#recipes input")) radio.checked = radio.value === name;
    heal("recipe");
    render();
    changed();
}

// ---- what follows from it

let waiting;
function changed() {
    $("#foreseen").classList.add("stale");
    $("#changed").replaceChildren(count());
    for (const field of all(".field")) {
        const value = at(shownTree(), field.dataset.place);
        field.classList.toggle("changed", fields.differs(field.dataset.place, value ?? null));
    }
    remember();
    clearTimeout(waiting);
    waiting = setTimeout(command, 150);
}

function count() {
    const number = Object.keys(state.settings).length;
    if (!number) return h("p", { class: "quiet" }, "All as the recipe has it.");
    const reset = () => ((state.settings = {}), render(), changed());
    return h("p", { class: "quiet" }, `${number} ${number === 1 ? "setting is" : "settings are"} not the recipe's `, h("button", { type: "button", class: "link", onclick: reset }, "take back"));
}

async function command() {
    const mine = ++turn;
    const ready = state.source.trim() !== "";
    for (const button of all("#check, #start")) button.disabled = !ready;
    if (!ready) $("#state").textContent = FIRST;
    else if ($("#state").textContent === FIRST) $("#state").textContent = "";
    if (!ready) {
        $("#command").textContent = "steadygan train …";
        return;
    }
    try {
        const found = await post("/api/new/command", asked());
        if (mine !== turn) return;
        $("#command").textContent = found.command;
        $("#name").placeholder = found.name;
    } catch (problem) {
        if (mine === turn) wrong([complaint(problem.message)]);
    }
}

/** What is sent: settings without what their kinds have by default. */
function asked() {
    const tree = overlay(base, state.settings);
    const settings = Object.entries(state.settings).map(([place, value]) => [place, schema.lean(schema.at(place, tree), value)]);
    return { ...state, settings: Object.fromEntries(settings) };
}

const complaint = (line) => ({ setting: /^([a-z_]\w*(?:[.[][\w.[\]]*)?)(?=[=:])/.exec(line)?.[1] ?? "", problem: line });

/** Each problem at the field it is about, or at the nearest around it; those of no field above the buttons. */
function wrong(problems) {
    for (const place of all(".wrong")) place.replaceChildren();
    const rest = [];
    let first = null;
    for (const { setting, problem } of problems) {
        const own = setting.replaceAll(/\[(\d+)\]/g, ".$1");
        let place = own;
        while (place && !document.getElementById(`wrong-${place}`)) place = place.includes(".") ? place.slice(0, place.lastIndexOf(".")) : "";
        const there = place && document.getElementById(`wrong-${place}`);
        if (!there) {
            rest.push(problem);
            continue;
        }
        there.append(h("span", {}, own === place ? problem.replace(`${setting}: `, "") : problem));
        for (let outer = there.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
        first ??= there;
    }
    if (rest.length) $("#wrong").append(...rest.map((line) => h("span", {}, line)));
    (first ?? $("#wrong")).scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function heal(place) {
    document.getElementById(`wrong-${place}`)?.replaceChildren();
    $("#wrong").replaceChildren();
}

const busy = (text) => {
    $("#state").textContent = text;
    for (const button of all("#check, #start")) button.disabled = text !== "";
};

async function check() {
    const mine = ++checking;
    wrongNothing();
    busy("looking at images, networks and machine …");
    try {
        const { source, recipe } = state;
        const job = await post("/api/new/check", asked());
        await followJob(job.id, ({ line }) => line && mine === checking && ($("#state").textContent = line));
        const found = await getJson(`/api/new/check/${job.id}`);
        if (mine !== checking) return;
        show(found);
        if (found.estimate) say(found.estimate.sentence);
        if (found.problems.length) wrong(found.problems);
        else if (source === state.source && recipe === state.recipe) rebase(found);
    } catch (problem) {
        wrong([complaint(problem.message)]);
    }
    busy("");
}

/** From now on the recipe's own settings are those that it chooses for these images. */
function rebase(found) {
    const theirs = Object.fromEntries(Object.entries(found.changed).map(([place, [, there]]) => [place, there]));
    base = { ...overlay(found.config, theirs), start: entry().config.start };
    state.settings = changes(overlay(base, state.settings), base);
    render();
    $("#changed").replaceChildren(count());
    remember();
}

function wrongNothing() {
    for (const place of all(".wrong")) place.replaceChildren();
}

function show({ data, estimate, findings = [], set }) {
    const facts = estimate && [
        ["takes about", duration(estimate.seconds)], ["steps", thousands(estimate.steps)], ["images a second", thousands(estimate.images_per_second)],
        ["memory", `${(estimate.memory_mb / 1024).toFixed(1)} GiB`], ["machine", `${estimate.device}, ${estimate.precision}`],
    ];
    const images = data && [["images", `${thousands(data.count)}, ${data.spec.size}×${data.spec.size}`]];
    $("#foreseen").classList.remove("stale");
    $("#foreseen").replaceChildren(
        facts || images ? h("dl", { class: "facts" }, [...(facts ?? []), ...(images ?? [])].map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))) : "",
        set ? h("p", { class: "quiet" }, h("a", { href: `/data/${set}` }, data.rejected ? `look at the images; ${thousands(data.rejected)} files cannot be used` : "look at the images")) : "",
        ...findings.map((it) => h("article", { class: "found" },
            h("p", {}, h("span", { class: `chip ${it.severity}` }, it.severity), h("b", {}, it.says || it.rule)),
            h("p", { class: "help" }, it.evidence), it.remedy ? h("p", { class: "help" }, h("b", {}, "Try "), it.remedy) : null, it.unless ? h("p", { class: "help" }, h("b", {}, "Unless: "), it.unless) : null)),
        estimate && !findings.length ? h("p", { class: "quiet" }, "The doctor has nothing to say against it.") : "",
    );
}

async function start() {
    wrongNothing();
    busy("starting …");
    try {
        const { id } = await post("/api/new/start", asked());
        for (;;) {
            const { address, code, line, wrong: lines } = await getJson(`/api/new/start/${id}`);
            if (address) {
                sessionStorage.removeItem(KEPT);
                location.href = address;
                return;
            }
            if (code !== null) {
                wrong(lines.map(complaint));
                break;
            }
            if (line) $("#state").textContent = line;
            await new Promise((done) => setTimeout(done, 500));
        }
    } catch (problem) {
        wrong([complaint(problem.message)]);
    }
    busy("");
}

// ---- the page

function images() {
    const offered = [...sets.map((it) => ({ ...it, about: `${thousands(it.images)} images` })),
        ...Object.entries(builtin).map(([name, about]) => ({ source: `builtin:${name}`, name, about })).filter((it) => !sets.some((known) => known.source === it.source))];
    $("#sources").replaceChildren(...offered.map((it) => h("option", { value: it.source }, `${it.name}: ${it.about}`)));
    $("#sets").replaceChildren(...offered.slice(0, 12).map((it) => h("button", { type: "button", class: "set", "aria-pressed": String(it.source === state.source), "data-source": it.source, onclick: () => take(it.source) },
        it.id ? h("img", { src: `/data/${it.id}/montage.webp`, alt: "", loading: "lazy", width: 56, height: 56 }) : null, h("span", {}, h("b", {}, it.name), h("small", {}, it.about)))));
}

function take(source) {
    state.source = source;
    if ($("#source").value !== source) $("#source").value = source;
    for (const button of all("#sets .set")) button.setAttribute("aria-pressed", String(button.dataset.source === source));
    heal("data.source");
    changed();
}

recall();
$("#source").value = state.source;
$("#name").value = state.name;
images();
$("#source").addEventListener("input", (event) => recipes && take(event.target.value));
$("#name").addEventListener("input", (event) => ((state.name = event.target.value), heal("out"), changed()));
$("#search").addEventListener("input", filter);
$("#only").addEventListener("change", filter);
$("#check").addEventListener("click", check);
$("#new").addEventListener("submit", (event) => (event.preventDefault(), start()));
$("#copy").addEventListener("click", async () => {
    try {
        await navigator.clipboard.writeText($("#command").textContent);
        say("copied");
    } catch {
        getSelection().selectAllChildren($("#command")); // pages without https have no clipboard
        say("selected; press Ctrl-C");
    }
});
for (const button of all("#check, #start")) button.disabled = true;

try {
    recipes = await getJson("/api/new/recipes");
    schema = new Schema(recipes.json_schema);
    fields = new Fields(schema, {
        empty: { "budget.images": "200,000 by default", "budget.steps": "no limit", "budget.minutes": "no limit", size: "64, or that of the set" },
        base: (place) => at(base, place), change: edited, rebuild: (place, value) => (edited(place, value), render(), $("#changed").replaceChildren(count())),
    });
    $("#recipes").replaceChildren(...recipes.recipes.map((it) => h("label", { class: "recipe" },
        h("input", { type: "radio", name: "recipe", value: it.name, onchange: () => choose(it.name) }), h("span", {}, h("b", {}, it.name, it.name === recipes.default ? h("small", { class: "default" }, "the default") : null), h("small", {}, it.about)))));
    state.source ||= $("#source").value;
    choose(recipes.recipes.some((it) => it.name === state.recipe) ? state.recipe : recipes.default);
} catch (problem) {
    $("#recipes").replaceChildren(h("p", { class: "wrong" }, problem.message));
}

import { Charts, PAINTS, scoreSpecs } from "/assets/charts.js";
import { player } from "/assets/player.js";
import { $, getJson, h, thousands } from "/assets/studio.js";

const { smooth, lastAt, short } = axes;
const ids = new URL(location).searchParams.get("runs").split(",");

function table(head, rows) {
    return h("table", {}, h("thead", {}, h("tr", {}, head.map((it) => h("th", { scope: "col" }, it)))), h("tbody", {}, rows));
}

/** A chart for each curve, with a line for each run that has it. */
function specs(runs) {
    const found = new Map();
    runs.forEach((run, number) => run.panels.forEach((panel) => panel.curves.filter((line) => !line.part).forEach((line) => {
        const key = `${panel.key} ${line.name}`, reach = Math.round(line.values.length / 80);
        const spec = found.get(key) ?? { ...panel, key, title: panel.curves.length > 1 ? `${panel.title}: ${line.name}` : panel.title, joined: true, lines: [], own: [] };
        spec.own.push({ name: run.name, colour: PAINTS[number % PAINTS.length], x: run.images, values: smooth(smooth(line.values, reach), reach) });
        found.set(key, spec);
    })));
    return [...found.values()].map((spec) => {
        const [x, ...values] = uPlot.join(spec.own.map((line) => [line.x, line.values]));
        return { ...spec, x, lines: spec.own.map((line, at) => ({ name: line.name, colour: line.colour, values: values[at] })) };
    });
}

function show({ runs, differences, standings, remark, left_out }) {
    $("#left-out").hidden = !left_out.length;
    $("#left-out").append(...left_out.map((line) => h("li", {}, `Left out: ${line}`)));
    const charts = new Charts($("#plots"), $("#whole"), (images) => play.goTo(images));
    const moments = [...new Set(runs.flatMap((run) => run.samples))].sort((a, b) => a - b);
    const figures = runs.map((run, number) => {
        const swatch = h("span", { class: "swatch" }), image = h("img", { alt: "", hidden: true }), nothing = h("p", { class: "nothing" }, "no pictures yet"), when = h("span", { class: "when" });
        swatch.style.background = PAINTS[number % PAINTS.length];
        const rest = runs.map((it) => it.id).filter((it) => it !== run.id);
        const less = rest.length > 1 && h("a", { class: "quiet", href: `/compare?runs=${rest.join()}`, "aria-label": `without ${run.name}` }, "×");
        const figure = h("figure", {}, h("figcaption", {}, swatch, h("a", { href: `/runs/${run.id}` }, run.name), when, less), h("div", { class: "generated" }, image, nothing));
        return { run, figure, show(images) {
            const at = lastAt(run.samples, images), there = at >= 0;
            image.hidden = !there;
            nothing.hidden = there;
            when.textContent = there ? `${thousands(run.samples[at])}${run.samples[at] === run.best ? " ★" : ""}` : "";
            if (!there) return;
            const src = `/runs/${run.id}/samples/${String(run.samples[at]).padStart(9, "0")}.png`;
            if (image.getAttribute("src") !== src) { image.src = src; image.alt = `${run.name} after ${thousands(run.samples[at])} images`; }
        } };
    });
    $("#pictures").append(...figures.map((it) => it.figure));
    const play = player({ goTo(images) {
        figures.forEach((it) => it.show(images));
        charts.goTo(images);
        return `${thousands(images)} images`;
    } });
    play.moments(moments);

    $("#same").hidden = differences.length > 0;
    const names = runs.map((run) => run.name);
    if (differences.length) $("#differences").append(table(["setting", ...names], differences.map((it) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, it.setting)), it.values.map((value) => h("td", {}, h("code", {}, value || "–")))))));
    $("#remark").textContent = remark || (standings.length ? "Of the best checkpoints, where they are known. Only what was measured in the same way, of the same images, stands here." : "Nothing was scored.");
    if (standings.length) $("#standings").append(table(["metric", ...names], standings.map((it) => h("tr", {},
        h("th", { scope: "row", title: it.protocol }, it.metric, h("small", {}, it.better === "as reals" ? "best as reals" : `${it.better} is better`), it.floor !== null && h("small", {}, `floor ${short(it.floor)}`)),
        it.values.map((value) => h("td", {}, value !== null && value === it.winner && new Set(it.values.filter((one) => one !== null)).size > 1 ? h("b", { class: "winner" }, `${short(value)} ✓`) : short(value)))))));
    charts.end = Math.max(1, ...runs.flatMap((run) => [...run.images.slice(-1), ...run.samples.slice(-1)]));
    for (const spec of [...scoreSpecs(runs), ...specs(runs)]) charts.show(spec);
    $("#waiting").hidden = true;
    $("#compared").hidden = false;
    charts.redraw();
}

getJson(`/api/compare?runs=${ids.join()}`).then(show, (problem) => { $("#waiting").textContent = problem.message; });

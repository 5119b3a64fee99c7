// Charts over images seen: drawn when they come into view, grown without being built anew, one moment and one range for all.
import { all, h } from "/assets/studio.js";

const { lastAt, short, label, smooth, limits, decades } = axes;
const dark = matchMedia("(prefers-color-scheme: dark)");
const probe = document.body.appendChild(h("span", { hidden: true }));
const HEIGHT = 220;

export const PAINTS = ["#0072B2", "#D55E00", "#009E73", "#AA4A8C", "#E69F00", "#56B4E9", "#6B717C"];

function paint(name) {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
}

function legible(colour) {
    // on a dark ground a colour is mixed with white
    if (!/^#[0-9a-f]{6}$/i.test(colour)) return paint("quiet");
    const mix = (at) => { const part = parseInt(colour.slice(at, at + 2), 16); return dark.matches ? Math.round(part + (255 - part) * 0.38) : part; };
    return `rgb(${mix(1)}, ${mix(3)}, ${mix(5)})`;
}

/** All charts of a page. The button `whole` leaves a range, `onmoment` is told where somebody clicked; `marks` are [{images, severity, act, back_to}]. */
export class Charts {
    constructor(place, whole, onmoment) {
        Object.assign(this, { place, whole, onmoment });
        whole.addEventListener("click", () => this.zoom(0, this.end));
        this.charts = new Map();
        this.marks = [];
        this.moment = null;
        this.range = null; // null is everything, and follows what grows
        this.end = 1;
        this.near = new IntersectionObserver((entries) => entries.forEach((it) => {
            const chart = this.of(it.target);
            if (!chart) return;
            chart.near = it.isIntersecting;
            if (chart.near) chart.draw();
        }), { rootMargin: "300px" });
        this.sized = new ResizeObserver((entries) => entries.forEach((it) => this.of(it.target)?.fit()));
        dark.addEventListener("change", () => this.charts.forEach((chart) => chart.recolour()));
    }

    of(box) {
        return [...this.charts.values()].find((chart) => chart.box === box);
    }

    /** The chart with this key, made at its first mention; a chart keeps its place. */
    show(spec) {
        let chart = this.charts.get(spec.key);
        if (!chart) {
            chart = new Chart(this, spec);
            this.charts.set(spec.key, chart);
            this.place.append(chart.element);
            this.near.observe(chart.box);
            this.sized.observe(chart.box);
        }
        chart.take(spec);
        return chart;
    }

    /** Only these charts, in this order. */
    keep(keys) {
        for (const [key, chart] of this.charts) if (!keys.includes(key)) {
            chart.element.remove();
            chart.plot?.destroy();
            this.charts.delete(key);
        }
        keys.forEach((key, at) => {
            const { element } = this.charts.get(key);
            if (this.place.children[at] !== element) this.place.insertBefore(element, this.place.children[at] ?? null);
        });
    }

    goTo(images) {
        this.moment = images;
        this.charts.forEach((chart) => chart.follow());
    }

    zoom(from, to) {
        const width = to - from;
        this.range = width >= this.end * 0.999 || width <= 0 ? null : [Math.max(0, from), Math.min(this.end, to)];
        this.whole.hidden = this.range === null;
        this.redraw();
    }

    /** After the data or the marks have changed. */
    redraw() {
        this.charts.forEach((chart) => chart.near && chart.draw());
    }

    get extent() {
        return this.range ?? [0, this.end];
    }
}

class Chart {
    constructor(charts, { key, title, says = "", aside = "" }) {
        Object.assign(this, { charts, key, near: false, plot: null, shape: "", hidden: new Set() });
        this.box = h("div", { class: "plot", role: "img", "aria-label": `${title} over images seen. ${says}` });
        this.legend = h("ul", { class: "legend" });
        this.heading = h("h3", {}, title, aside && h("span", {}, `  ${aside}`));
        this.element = h("figure", { class: "chart" }, this.heading, says && h("p", { class: "says" }, says), this.legend, this.box);
    }

    /** Other data: {x, lines: [{name, colour, values, part}], low, high, floor, dots, spans, logarithmic, lowest, highest, lost}. */
    take(spec) {
        this.spec = spec;
        this.stale = true;
    }

    get columns() {
        const { x, lines, low, high } = this.spec, columns = [x];
        this.faint = lines.map((line) => line.values.length > 80 && !line.part && !this.spec.dots && !this.spec.joined);
        const reach = Math.round(x.length / 60);
        lines.forEach((line, at) => {
            columns.push(line.values);
            if (this.faint[at]) columns.push(smooth(smooth(line.values, reach), reach));
        });
        return low ? [...columns, high, low] : columns;
    }

    draw() {
        const { lines, low } = this.spec;
        if (this.stale) {
            this.data = this.columns;
            this.stale = false;
            const shape = JSON.stringify([lines.map((line) => [line.name, line.colour]), this.faint, Boolean(low)]);
            if (shape !== this.shape) {
                this.shape = shape;
                this.plot?.destroy();
                this.plot = null;
                this.label();
            } else this.plot?.setData(this.data, false);
        }
        if (!this.plot && this.box.clientWidth) {
            this.plot = new uPlot(this.options(), this.data, this.box);
            this.listen();
        }
        const [min, max] = this.charts.extent;
        this.plot?.setScale("x", { min, max });
        this.follow();
    }

    label() {
        this.values = this.spec.lines.map(() => h("b", {}, "–"));
        this.swatches = this.spec.lines.map((line) => { const it = h("i"); it.style.background = legible(line.colour); return it; });
        this.legend.replaceChildren(...this.spec.lines.map((line, at) => {
            const button = h("button", { type: "button", "aria-pressed": String(!this.hidden.has(line.name)), onclick: () => {
                this.hidden[this.hidden.has(line.name) ? "delete" : "add"](line.name);
                const show = !this.hidden.has(line.name);
                button.setAttribute("aria-pressed", show);
                this.series(at).forEach((index) => this.plot?.setSeries(index, { show }));
            } }, this.swatches[at], h("span", {}, line.name), this.values[at]);
            return h("li", {}, button);
        }));
    }

    series(at) {
        const first = 1 + at + this.faint.slice(0, at).filter(Boolean).length;
        return this.faint[at] ? [first, first + 1] : [first];
    }

    options() {
        const { spec } = this, axis = { stroke: () => paint("quiet"), grid: { stroke: () => paint("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
        const series = spec.lines.flatMap((line, at) => (this.faint[at] ? [{ ...line, faint: true }, line] : [line]));
        if (spec.low) series.push({ colour: spec.lines[0].colour, bare: true }, { colour: spec.lines[0].colour, bare: true });
        return {
            width: this.box.clientWidth, height: HEIGHT, padding: [16, 18, 0, 0], legend: { show: false },
            scales: {
                x: { time: false, range: (_, min, max) => [min ?? 0, max ?? 1] },
                y: { distr: spec.logarithmic ? 3 : 1, range: () => limits([this.spec], this.charts.extent) },
            },
            axes: [
                { ...axis, size: 30, space: 70, values: (_, ticks) => ticks.map((it) => (it && ticks.at(-1) >= 1e4 && it < 1e4 ? `${it / 1e3}k` : short(it))) },
                { ...axis, size: 52, space: 34, ...(spec.logarithmic && { splits: (_, __, low, high) => decades(low, high), filter: (_, ticks) => ticks }), values: (_, ticks, __, ___, step) => ticks.map((it) => (spec.logarithmic ? short(it) : label(it, step))) },
            ],
            series: [{}, ...series.map((it) => ({
                show: !this.hidden.has(it.name), stroke: it.bare ? "transparent" : () => legible(it.colour), alpha: it.faint ? 0.3 : 1, width: it.faint ? 1 : it.part ? 1.1 : 2, spanGaps: Boolean(spec.spans),
                gaps: (_, __, ___, ____, gaps) => gaps.map(([from, to]) => [from, to + 2 * devicePixelRatio]),
                points: { show: () => !it.faint && !it.bare && (spec.dots || this.spec.x.length < 40), size: 6, width: 0, fill: () => legible(it.colour) },
            }))],
            bands: spec.low ? [{ series: [series.length - 1, series.length], fill: () => legible(spec.lines[0].colour).replace("rgb(", "rgba(").replace(")", ", .16)") }] : [],
            cursor: {
                y: false, drag: { x: true, y: false, setScale: false }, points: { show: (_, index) => (series[index - 1]?.faint || series[index - 1]?.bare ? false : undefined) },
                sync: { key: "all", scales: ["x", null], filters: { pub: (name) => name === "mousemove" || name === "mouseleave" } },
                bind: { dblclick: () => () => { this.charts.zoom(0, this.charts.end); return null; } },
            },
            hooks: {
                setSelect: [(plot) => {
                    if (plot.select.width < 4) return;
                    const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((at) => plot.posToVal(at, "x"));
                    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                    this.charts.zoom(from, to);
                }],
                setCursor: [(plot) => this.read(plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null)],
                draw: [(plot) => {
                    this.floor(plot);
                    const { x, y } = plot.scales;
                    Object.assign(this.box.dataset, { range: `${Math.round(x.min)} ${Math.round(x.max)}`, points: this.data[0].length, highest: y.max });
                }],
            },
        };
    }

    floor(plot) {
        const { floor } = this.spec;
        if (!Number.isFinite(floor)) return;
        const { ctx, bbox } = plot, y = plot.valToPos(floor, "y", true);
        if (y < bbox.top || y > bbox.top + bbox.height) return;
        ctx.save();
        ctx.strokeStyle = ctx.fillStyle = paint("quiet");
        ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        ctx.lineWidth = devicePixelRatio;
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.textAlign = "right";
        ctx.fillText("floor: reals against reals", bbox.left + bbox.width - 6 * devicePixelRatio, y - 5 * devicePixelRatio);
        ctx.restore();
    }

    listen() {
        const { over } = this.plot;
        let pressed = 0;
        over.addEventListener("mousedown", (event) => { pressed = event.clientX; });
        over.addEventListener("click", (event) => {
            if (Math.abs(event.clientX - pressed) < 4) this.charts.onmoment(Math.max(0, this.plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x")));
        });
    }

    follow() {
        // the moment of the pictures, and the findings, as lines across the chart
        if (!this.plot) return;
        const { over } = this.plot, { moment, marks } = this.charts;
        const wanted = [...marks.map((mark) => ({ images: mark.images, kind: mark.act ? "act" : mark.severity })), ...(moment === null ? [] : [{ images: moment, kind: "now" }])];
        const rules = all(".rule", over);
        rules.slice(wanted.length).forEach((it) => it.remove());
        while (rules.length < wanted.length) over.append(rules[rules.push(h("div")) - 1]);
        wanted.forEach(({ images, kind }, number) => {
            const at = this.plot.valToPos(images, "x"), rule = rules[number];
            rule.className = `rule ${kind}`;
            rule.hidden = !(at >= -1 && at <= over.clientWidth + 1);
            rule.style.transform = `translateX(${at}px)`;
        });
        this.read(null);
    }

    read(images) {
        const { x, lines, dots, joined } = this.spec, at = images ?? this.charts.moment ?? x.at(-1), before = lastAt(x, at);
        const index = before + 1 < x.length && (before < 0 || x[before + 1] - at < at - x[before]) ? before + 1 : before;
        lines.forEach((line, number) => {
            let there = index; // a score stands until the next
            while ((dots || joined) && there > 0 && (line.values[there] ?? null) === null) there--;
            if (this.values) this.values[number].textContent = short(line.values[there]);
        });
    }

    recolour() {
        this.swatches?.forEach((it, at) => { it.style.background = legible(this.spec.lines[at].colour); });
        this.plot?.redraw(false);
    }

    fit() {
        if (!this.plot && this.near) this.draw();
        if (this.plot && this.box.clientWidth && this.box.clientWidth !== this.plot.width) {
            this.plot.setSize({ width: this.box.clientWidth, height: HEIGHT });
            this.follow();
        }
    }
}

/** Specs of the scores of runs: [{name, scores}]; those by one protocol share a chart. */
export function scoreSpecs(runs) {
    const alike = new Map();
    runs.forEach((run, number) => run.scores.forEach((score) => {
        const key = JSON.stringify([score.metric, score.protocol]);
        alike.set(key, [...(alike.get(key) ?? []), { score, number, name: run.name }]);
    }));
    const ways = [...alike.keys()].map((key) => JSON.parse(key)[0]);
    return [...alike].map(([key, them]) => {
        const { score } = them[0], x = [...new Set(them.flatMap((it) => it.score.images))].sort((a, b) => a - b);
        const along = (images, values) => { const at = new Map(images.map((it, index) => [it, values[index]])); return x.map((it) => at.get(it) ?? null); };
        const banded = them.length === 1 && score.low.some((it) => it !== null) && { low: along(score.images, score.low), high: along(score.images, score.high) };
        const of = runs.length > 1 && ways.filter((it) => it === score.metric).length > 1 ? ` of ${them.map((it) => it.name).join(", ")}` : "";
        return {
            key: `score ${key}`, title: score.metric + of, aside: `${score.better === "as reals" ? "best as reals" : `${score.better} is better`}${score.unit ? `, ${score.unit}` : ""}`,
            says: score.says && `${score.says[0].toUpperCase()}${score.says.slice(1)}.`, x, dots: true, spans: them.length > 1, floor: score.floor, ...banded,
            lines: them.map((it) => ({ name: runs.length > 1 ? it.name : "generated", colour: PAINTS[it.number % PAINTS.length], values: along(it.score.images, it.score.values) })),
        };
    });
}

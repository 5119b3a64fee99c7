"use strict";
(() => {
    // All that is written into the document is text or a picture's address: no data becomes markup here.
    const page = JSON.parse(document.getElementById("page").textContent);
    const root = document.documentElement;
    root.classList.add("js");
    const { lastAt, short, label, smooth, limits, decades } = axes;
    const $ = (selector, within = document) => within.querySelector(selector);
    const all = (selector, within = document) => [...within.querySelectorAll(selector)];
    const made = (tag, { text = "", on = {}, ...rest } = {}, ...children) => {
        const it = document.createElement(tag);
        it.textContent = text;
        Object.entries(rest).forEach(([name, value]) => it.setAttribute(name, value));
        Object.entries(on).forEach(([name, act]) => it.addEventListener(name, act));
        it.append(...children);
        return it;
    };
    const thousands = (number) => Math.round(number).toLocaleString("en");
    const capital = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}.`;
    const seen = (images) => `${thousands(images)} images seen`;

    // --- the moment: one for pictures and curves -------------------------------------------------------------------

    const moments = [...new Set(page.runs.flatMap((run) => run.frames.map((frame) => frame.images)))].sort((a, b) => a - b);
    const end = Math.max(1, ...page.runs.flatMap((run) => [
        ...moments.slice(-1), ...run.images.slice(-1), ...run.marks.map((mark) => mark.images), ...run.scores.flatMap((score) => score.images),
    ]));
    const times = page.runs.map((run) => run.frames.map((frame) => frame.images));
    const slider = $("#slider"), charts = [];
    let moment = moments.at(-1) ?? end;

    const frameOf = (number, images) => page.runs[number].frames[lastAt(times[number], images)];

    function place(image, frame) {
        image.hidden = !frame?.picture;
        if (frame?.picture && image.src !== frame.picture) image.src = frame.picture;
    }

    function goTo(images) {
        moment = images;
        slider.value = Math.max(0, lastAt(moments, images));
        const shown = moments[slider.value] ?? images;
        slider.setAttribute("aria-valuetext", seen(shown));
        $("#seen").textContent = seen(shown);
        all(".generated").forEach((figure, number) => {
            const frame = frameOf(number, images), nothing = $(".nothing", figure);
            place($("img.grid", figure), frame);
            nothing.hidden = Boolean(frame?.picture);
            nothing.textContent = frame ? "This picture is missing." : page.runs[number].frames.length ? "No picture yet." : nothing.textContent;
            $(".when", figure).textContent = frame ? `after ${thousands(frame.images)} images` : "";
            all(".strip button", figure).forEach((it) => it.setAttribute("aria-current", it.dataset.images === String(frame?.images)));
        });
        peek(null);
        charts.forEach((chart) => chart.follow());
    }

    function peek(images) {
        // pictures and legends of a moment that is only pointed at
        $("#at").textContent = seen(images ?? moment);
        all("#peek img").forEach((image, number) => place(image, frameOf(number, images ?? moment)));
    }

    function sharpen(image) {
        image.classList.toggle("crisp", image.naturalWidth > 0 && image.clientWidth >= 2 * image.naturalWidth);
    }

    function startPictures() {
        const player = $(".player"), play = $("#play");
        let timer = 0;
        const stop = () => {
            clearInterval(timer);
            timer = 0;
            play.textContent = "▶";
            play.setAttribute("aria-pressed", "false");
            play.setAttribute("aria-label", "Play");
        };
        const start = () => {
            if (Number(slider.value) >= moments.length - 1) goTo(moments[0]);
            play.textContent = "❚❚";
            play.setAttribute("aria-pressed", "true");
            play.setAttribute("aria-label", "Pause");
            timer = setInterval(() => {
                step(1);
                if (Number(slider.value) >= moments.length - 1) stop();
            }, 1000 / Number($("#speed").value));
        };
        const step = (by) => goTo(moments[Math.min(moments.length - 1, Math.max(0, Number(slider.value) + by))]);
        play.addEventListener("click", () => (timer ? stop() : start()));
        $("#speed").addEventListener("change", () => timer && (stop(), start()));
        slider.addEventListener("input", () => { stop(); goTo(moments[slider.value]); });
        document.addEventListener("keydown", (event) => {
            const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
            if (by && moments.length && !event.altKey && !event.ctrlKey && !event.metaKey && !event.target.closest("input, select, pre")) {
                event.preventDefault();
                stop();
                step(by);
            }
        });
        player.hidden = moments.length < 2;
        slider.max = Math.max(0, moments.length - 1);
        page.runs.forEach((run, number) => {
            const frames = run.frames.filter((frame) => frame.picture), strip = all(".generated .strip")[number];
            const some = [...new Set([0, 1, 2, 3, 4, 5].map((part) => Math.round(part * (frames.length - 1) / 5)))];
            if (frames.length > 1) strip.append(...some.map((index) => made("button", {
                type: "button", "data-images": frames[index].images, "aria-label": `after ${thousands(frames[index].images)} images`,
                on: { click: () => { stop(); goTo(frames[index].images); } },
            }, made("img", { src: frames[index].picture, alt: "" }), made("span", { text: short(frames[index].images) }))));
            if (frames.length) $("#peek").append(made("img", { alt: "" }));
        });
        // where on the track a moment is, from 0 to 1; the thumb does not reach the ends of its slider
        const along = (images) => {
            const before = Math.max(0, lastAt(moments, images)), after = Math.min(moments.length - 1, before + 1);
            const part = after > before ? Math.min(1, Math.max(0, (images - moments[before]) / (moments[after] - moments[before]))) : 0;
            return (before + part) / Math.max(1, moments.length - 1);
        };
        const pins = gathered(page.runs.map((_, number) => number), 0.02, along).map((group) => pin(group, "pin"));
        page.runs.forEach((run) => run.best === null || pins.push(explained(made("button", {
            type: "button", class: "pin best", "data-images": run.best, "aria-label": `best checkpoint, after ${thousands(run.best)} images`,
            on: { click: () => { stop(); goTo(run.best); } },
        }), () => `Best checkpoint${page.runs.length > 1 ? ` of ${run.name}` : ""}, after ${thousands(run.best)} images`)));
        pins.forEach((it) => { it.style.left = `calc(8px + (100% - 16px) * ${along(Number(it.dataset.images))})`; });
        $(".track").append(...pins);
        all("img.grid").forEach((image) => (image.complete ? sharpen(image) : 0, image.addEventListener("load", () => sharpen(image))));
    }

    // --- marks: findings and acts -----------------------------------------------------------------------------------

    const RANK = { serious: 3, warning: 2, info: 1 };

    function gathered(numbers, reach, where = (images) => images) {
        // marks that stand closer together than `reach` are one
        const marks = numbers.flatMap((number) => page.runs[number].marks.map((mark, index) => ({ ...mark, number, index }))).sort((a, b) => a.images - b.images);
        const groups = [];
        marks.forEach((mark) => {
            const last = groups.at(-1);
            if (last && where(mark.images) - where(last[0].images) <= reach) last.push(mark); else groups.push([mark]);
        });
        return groups;
    }

    function pin(group, kind) {
        const first = [...group].sort((a, b) => RANK[b.severity] - RANK[a.severity])[0];
        const says = group.map((mark) => `${page.runs.length > 1 ? `${page.runs[mark.number].name}: ` : ""}${mark.act ? `${mark.act}: ` : ""}${mark.says || mark.rule}`);
        return explained(made("button", {
            type: "button", class: `${kind} ${first.act ? "act" : first.severity}`, "data-images": first.images, "aria-label": `after ${thousands(first.images)} images: ${says.join("; ")}`,
            on: { click: (event) => { event.stopPropagation(); openCard(`mark-${first.number}-${first.index}`); } },
        }), () => `after ${thousands(first.images)} images\n${says.slice(0, 6).join("\n")}${says.length > 6 ? "\n…" : ""}`);
    }

    function openCard(id) {
        const card = document.getElementById(id);
        all(".card.here").forEach((it) => it.classList.remove("here"));
        card.classList.add("here");
        card.focus({ preventScroll: true });
        card.scrollIntoView({ block: "center" });
        setTimeout(() => card.classList.remove("here"), 2500);
    }

    function explained(button, text) {
        const tip = $("#tip");
        const show = () => {
            tip.textContent = text();
            tip.hidden = false;
            const at = button.getBoundingClientRect(), width = Math.min(300, root.clientWidth - 16);
            tip.style.maxWidth = `${width}px`;
            tip.style.left = `${Math.max(8, Math.min(at.left + at.width / 2 - tip.offsetWidth / 2, root.clientWidth - tip.offsetWidth - 8)) + scrollX}px`;
            tip.style.top = `${at.bottom + 6 + scrollY}px`;
        };
        ["mouseenter", "focus"].forEach((name) => button.addEventListener(name, show));
        ["mouseleave", "blur", "click"].forEach((name) => button.addEventListener(name, () => { tip.hidden = true; }));
        return button;
    }

    // --- curves -----------------------------------------------------------------------------------------------------

    const PAINTS = ["#0072B2", "#D55E00", "#009E73", "#AA4A8C", "#E69F00", "#56B4E9", "#6B717C"];
    const probe = document.body.appendChild(made("span", { hidden: "" }));
    const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    let range = [0, end];

    function paint(name) {
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color;
    }

    function legible(colour) {
        // on a dark ground a colour is mixed with white
        if (!/^#[0-9a-f]{6}$/i.test(colour)) return paint("quiet");
        const mix = (at) => { const part = parseInt(colour.slice(at, at + 2), 16); return isDark() ? Math.round(part + (255 - part) * 0.38) : part; };
        return `rgb(${mix(1)}, ${mix(3)}, ${mix(5)})`;
    }

    function zoom(from, to) {
        const least = end / 1000, width = Math.min(end, Math.max(least, to - from)), start = Math.min(Math.max(0, from), end - width);
        range = [start, start + width];
        $("#whole").disabled = width >= end;
        charts.forEach((chart) => chart.plot?.setScale("x", { min: range[0], max: range[1] }));
    }

    function options(chart) {
        const { spec } = chart, axis = { stroke: () => paint("quiet"), grid: { stroke: () => paint("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
        return {
            width: chart.box.clientWidth, height: 230, padding: [16, 18, 0, 0], legend: { show: false },
            scales: {
                x: { time: false, range: () => range },
                y: { distr: spec.logarithmic ? 3 : 1, range: () => limits(spec.group, range) },
            },
            axes: [
                { ...axis, size: 30, space: 70, values: (_, ticks) => ticks.map((it) => (it && ticks.at(-1) >= 1e4 && it < 1e4 ? `${it / 1e3}k` : short(it))) },
                { ...axis, size: 52, space: 34, ...(spec.logarithmic && { splits: (_, __, low, high) => decades(low, high), filter: (_, ticks) => ticks }), values: (_, ticks, __, ___, step) => ticks.map((it) => (spec.logarithmic ? short(it) : label(it, step))) },
            ],
            series: [{}, ...chart.series.map((it) => ({
                stroke: it.hidden ? "transparent" : () => legible(it.colour), alpha: it.faint ? 0.32 : 1, width: it.faint ? 1 : it.part ? 1.1 : 2,
                spanGaps: Boolean(spec.spans),
                // a line that leaps over a gap would show at its edge
                gaps: (_, __, ___, ____, gaps) => gaps.map(([from, to]) => [from, to + 2 * devicePixelRatio]),
                points: { show: !it.faint && !it.hidden && (spec.dots || spec.x.length < 40), size: 6, width: 0, fill: () => legible(it.colour) },
            }))],
            bands: chart.bands.map(([series, colour]) => ({ series, fill: () => legible(colour).replace("rgb(", "rgba(").replace(")", ", .16)") })),
            cursor: {
                y: false, drag: { x: true, y: false, setScale: false }, points: { show: (_, index) => (chart.series[index - 1].hidden || chart.series[index - 1].faint ? false : undefined) },
                sync: { key: "all", scales: ["x", null], filters: { pub: (name) => name === "mousemove" || name === "mouseleave" } },
                bind: { dblclick: () => () => { zoom(0, end); return null; } },
            },
            hooks: {
                setSelect: [(plot) => {
                    if (plot.select.width < 4) return;
                    const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((at) => plot.posToVal(at, "x"));
                    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                    zoom(from, to);
                }],
                setCursor: [(plot) => {
                    const over = plot.cursor.left >= 0;
                    if (plot.over.matches(":hover")) peek(over ? plot.posToVal(plot.cursor.left, "x") : null);
                    chart.read(over ? plot.posToVal(plot.cursor.left, "x") : null);
                }],
                draw: [(plot) => { drawFloor(plot, spec); chart.tell(); chart.follow(); }],
            },
        };
    }

    function drawFloor(plot, { floor }) {
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
        ctx.setLineDash([]);
        ctx.strokeStyle = paint("card");
        ctx.lineWidth = 4 * devicePixelRatio;
        ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.textAlign = "right";
        const at = ["floor: reals against reals", bbox.left + bbox.width - 6 * devicePixelRatio, y - 5 * devicePixelRatio];
        ctx.strokeText(...at);
        ctx.fillText(...at);
        ctx.restore();
    }

    class Chart {
        constructor(spec) {
            this.spec = spec;
            // stretches that a run went back over are drawn, but set no limits
            spec.lost = spec.runs.length > 1 ? [] : page.runs[spec.runs[0]].marks.filter((mark) => mark.back_to !== null).map((mark) => [mark.back_to, mark.images]);
            this.box = made("div", { class: "plot", role: "img", "aria-label": `${spec.title} over images seen${spec.says ? `. ${spec.says}` : ""}` });
            this.series = [];
            this.bands = [];
            this.columns = [spec.x];
            this.keys = spec.lines.map((line) => this.add(line));
            if (spec.low) this.addBand(spec);
            const heading = made("h3", { text: spec.title });
            if (spec.aside) heading.append(made("span", { text: `  ${spec.aside}` }));
            this.element = made("figure", { class: "chart" }, heading, made("p", { class: "says", text: spec.says }), made("ul", { class: "legend" }, ...this.keys.map((it) => made("li", {}, it.button))), this.box);
        }

        add(line) {
            const many = line.values.length > 80 && !line.part && !this.spec.dots, own = [];
            const push = (values, more) => { this.series.push({ colour: line.colour, part: line.part, ...more }); own.push(this.columns.push(values) - 1); };
            push(line.values, { faint: many });
            const reach = Math.round(line.values.length / 60);
            if (many) push(smooth(smooth(line.values, reach), reach), {});
            const value = made("b", { text: "–" }), swatch = made("i");
            const button = made("button", { type: "button", "aria-pressed": "true", on: { click: () => {
                const show = button.getAttribute("aria-pressed") === "false";
                button.setAttribute("aria-pressed", show);
                own.forEach((index) => this.plot?.setSeries(index, { show }));
            } } }, swatch, made("span", { text: line.name }), value);
            return { line, value, swatch, button };
        }

        addBand({ low, high, lines }) {
            const ends = [high, low].map((values) => { this.series.push({ hidden: true, colour: lines[0].colour }); return this.columns.push(values) - 1; });
            this.bands.push([ends, lines[0].colour]);
        }

        mount() {
            if (this.plot) return;
            this.plot = new uPlot(options(this), this.columns, this.box);
            const over = this.plot.over;
            this.marks = [{ images: () => moment, parts: [made("div", { class: "rule now" })] }, ...gathered(this.spec.runs, 0).map((group) => {
                const flag = pin(group, "flag");
                flag.tabIndex = -1; // the same stand on the slider and lead to the same cards
                return { images: () => group[0].images, parts: [made("div", { class: flag.className.replace("flag", "rule") }), flag] };
            })];
            over.append(...this.marks.flatMap((mark) => mark.parts));
            let pressed = 0;
            over.addEventListener("mousedown", (event) => { pressed = event.clientX; });
            over.addEventListener("click", (event) => {
                if (Math.abs(event.clientX - pressed) < 4) goTo(Math.min(end, Math.max(0, this.plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x"))));
            });
            this.recolour();
            this.follow();
        }

        tell() {
            const { x, y } = this.plot.scales;
            Object.assign(this.box.dataset, { range: `${Math.round(x.min)} ${Math.round(x.max)}`, highest: y.max });
        }

        follow() {
            if (!this.plot) return;
            for (const { images, parts } of this.marks ?? []) {
                const at = this.plot.valToPos(images(), "x"), inside = at >= -1 && at <= this.plot.over.clientWidth + 1;
                parts.forEach((part) => { part.hidden = !inside; part.style.transform = `translateX(${at}px)`; });
            }
            this.read(null);
        }

        read(images) {
            const { x } = this.spec, before = lastAt(x, images ?? moment);
            const index = before + 1 < x.length && (before < 0 || x[before + 1] - (images ?? moment) < (images ?? moment) - x[before]) ? before + 1 : before;
            this.keys.forEach(({ line, value }) => {
                let at = index; // a score stands until the next
                while (this.spec.dots && at > 0 && line.values[at] === null) at--;
                value.textContent = short(line.values[at]);
            });
        }

        recolour() {
            this.keys.forEach(({ line, swatch }) => { swatch.style.background = legible(line.colour); });
            this.plot?.redraw(false);
        }

        fit() {
            if (this.plot && this.box.clientWidth && this.box.clientWidth !== this.plot.width) this.plot.setSize({ width: this.box.clientWidth, height: 230 });
        }
    }

    function panelRows() {
        const keys = [...new Map(page.runs.flatMap((run) => run.panels.map((panel) => [panel.key, panel]))).keys()];
        return keys.map((key) => {
            const specs = page.runs.flatMap((run, number) => run.panels.filter((panel) => panel.key === key && run.images.length).map((panel) => ({
                title: page.runs.length > 1 ? run.name : panel.title, says: page.runs.length > 1 ? "" : panel.says, over: panel, x: run.images, lines: panel.curves, runs: [number],
                logarithmic: panel.logarithmic, lowest: panel.lowest, highest: panel.highest,
            })));
            specs.forEach((spec) => { spec.group = specs; });
            return specs;
        });
    }

    function scoreCharts() {
        const alike = new Map();
        page.runs.forEach((run, number) => run.scores.forEach((score) => {
            const key = JSON.stringify([score.metric, score.protocol]);
            alike.set(key, [...(alike.get(key) ?? []), { score, number }]);
        }));
        const sorted = [...alike.values()].sort((a, b) => (a[0].score.metric < b[0].score.metric ? -1 : Number(a[0].score.metric > b[0].score.metric)));
        const otherwise = " Measured in another way than the chart of the same name: the two do not compare.";
        return sorted.map((them) => {
            const { score } = them[0], one = sorted.filter(([it]) => it.score.metric === score.metric).length === 1, x = [...new Set(them.flatMap((it) => it.score.images))].sort((a, b) => a - b);
            const along = (images, values) => { const at = new Map(images.map((it, index) => [it, values[index]])); return x.map((it) => at.get(it) ?? null); };
            const banded = them.length === 1 && score.low.some((it) => it !== null);
            const spec = {
                title: score.metric, aside: `${score.better === "as reals" ? "best as reals" : `${score.better} is better`}${score.unit ? `, ${score.unit}` : ""}`, says: `${capital(score.says)}${one ? "" : otherwise}`.trim(), x, dots: true, spans: them.length > 1,
                runs: them.map((it) => it.number), floor: score.floor, ...(banded && { low: along(score.images, score.low), high: along(score.images, score.high) }),
                lines: them.map(({ score: it, number }) => ({ name: page.runs.length > 1 ? page.runs[number].name : "generated", colour: PAINTS[number % PAINTS.length], values: along(it.images, it.values) })),
            };
            spec.group = [spec];
            return spec;
        });
    }

    function startCharts() {
        const rows = panelRows(), several = page.runs.length > 1, scores = scoreCharts();
        const lay = (specs, beside) => {
            const made_ = specs.map((spec) => new Chart(spec));
            charts.push(...made_);
            if (beside && made_.length) $("#plots").append(made("h3", { text: specs[0].over.title }), made("p", { class: "says", text: specs[0].over.says }));
            if (made_.length) $("#plots").append(made("div", { class: beside ? "panels beside" : "panels" }, ...made_.map((it) => it.element)));
        };
        if (several) { lay(scores, false); rows.forEach((specs) => lay(specs, true)); } else lay([...scores, ...rows.flat()], false);
        if (!charts.length) $("#plots").append(made("p", { class: "says", text: "Nothing was measured yet." }));
        $(".bar").hidden = $("#charts > .says").hidden = !charts.length;
        const near = new IntersectionObserver((entries) => entries.filter((it) => it.isIntersecting).forEach((it) => {
            charts.find((chart) => chart.box === it.target).mount();
            near.unobserve(it.target);
        }), { rootMargin: "300px" });
        const sized = new ResizeObserver((entries) => entries.forEach((it) => charts.find((chart) => chart.box === it.target).fit()));
        charts.forEach((chart) => { near.observe(chart.box); sized.observe(chart.box); });
        const around = (factor) => {
            const width = (range[1] - range[0]) * factor, middle = moment >= range[0] && moment <= range[1] ? moment : (range[0] + range[1]) / 2;
            zoom(middle - (middle - range[0]) * factor, middle - (middle - range[0]) * factor + width);
        };
        $("#closer").addEventListener("click", () => around(0.5));
        $("#wider").addEventListener("click", () => around(2));
        $("#whole").addEventListener("click", () => zoom(0, end));
        $("#whole").disabled = true;
    }

    // --- the page ---------------------------------------------------------------------------------------------------

    function startPage() {
        let stored = null;
        try { stored = localStorage.getItem("steadygan-theme"); } catch { /* a file may have no storage */ }
        const wear = (theme) => {
            if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
            charts.forEach((chart) => chart.recolour());
        };
        if (stored === "dark" || stored === "light") wear(stored);
        $("#theme").addEventListener("click", () => {
            wear(isDark() ? "light" : "dark");
            try { localStorage.setItem("steadygan-theme", root.dataset.theme); } catch { /* as above */ }
        });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => wear(root.dataset.theme));
        all(".moment-link").forEach((link) => link.addEventListener("click", () => {
            const images = Number(link.dataset.images);
            if (images < range[0] || images > range[1]) zoom(0, end);
            goTo(images);
        }));
        all(".copy").forEach((button) => button.addEventListener("click", async () => {
            const code = $("code", button.parentElement);
            getSelection().selectAllChildren(code);
            let done = false;
            try { await navigator.clipboard.writeText(code.textContent); done = true; } catch { done = document.execCommand("copy"); }
            button.textContent = done ? "copied" : "press Ctrl-C";
            setTimeout(() => { button.textContent = "copy"; }, 2000);
        }));
        let before = null;
        addEventListener("beforeprint", () => {
            before = { theme: root.dataset.theme, moment, open: all("details:not([open])") };
            wear("light");
            before.open.forEach((it) => { it.open = true; });
            goTo(moments.at(-1) ?? end);
            charts.forEach((chart) => { chart.mount(); chart.fit(); });
        });
        addEventListener("afterprint", () => {
            if (!before) return;
            before.open.forEach((it) => { it.open = false; });
            goTo(before.moment);
            wear(before.theme);
            charts.forEach((chart) => chart.fit());
        });
    }

    startCharts();
    startPictures();
    startPage();
    goTo(moment);
})();

// The doctor's findings and the acts of care, as cards.
import { h, thousands } from "/assets/studio.js";

const WORDS = { serious: "serious", warning: "to watch", info: "to know" };
const RANK = { serious: 0, warning: 1, info: 2 };
const sentence = (text) => (/^[a-z]+('s)?([ ,;:]|$)/.test(text) ? text[0].toUpperCase() + text.slice(1) : text);

export const keyOf = (mark) => JSON.stringify([mark.rule, mark.images, mark.act, mark.evidence, mark.past]);

/** The gravest first, and of equals the latest; what the run was set back from last. */
export const ordered = (marks) => [...marks].sort((a, b) => a.past - b.past || RANK[a.severity] - RANK[b.severity] || b.images - a.images);

export function card(mark, goTo) {
    const kind = mark.act ? "act" : mark.severity, steps = mark.remedy ? mark.remedy.split("; ") : [];
    const more = [["usual causes", mark.causes], ["does not hold if", mark.unless], ["source", mark.source], ["rule", mark.rule]].filter(([, text]) => text);
    return h("article", { class: `card ${kind}` },
        h("header", {}, h("span", { class: `chip ${kind}` }, mark.act || WORDS[mark.severity]),
            h("button", { type: "button", class: "link", onclick: () => goTo(mark.images) }, mark.images ? `after ${thousands(mark.images)} images` : "before the first step")),
        h("h3", {}, sentence(mark.says || mark.rule)),
        mark.evidence && h("p", {}, sentence(mark.evidence)),
        mark.back_to !== null && h("p", {}, `The run went back to ${mark.back_to === 0 ? "fresh weights" : `what it was after ${thousands(mark.back_to)} images`}.`),
        steps.length > 0 && h("div", { class: "remedy" }, h("b", {}, mark.act ? "If you want it otherwise" : "What to do"), h("ul", {}, steps.map((step) => h("li", {}, step)))),
        mark.picture && h("img", { src: mark.picture, alt: `What this finding is about: ${mark.says}`, loading: "lazy", onerror: (event) => event.target.remove() }),
        more.length > 0 && h("details", {}, h("summary", {}, "Why, and when not"), h("dl", {}, more.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))))));
}

// One rater takes a Turing test: by mouse, touch or keyboard. Nothing here knows what is real.
import { $, all, getJson, h, post, say } from "/assets/studio.js";

const root = $("#test"), base = `/runs/${root.dataset.run}/turing/${encodeURIComponent(root.dataset.test)}`;
const ask = $("#ask"), pictures = $("#pictures"), answer = $("#answer"), crisp = $("#crisp"), remembered = "steadygan-crisp";
let state = null, began = 0, busy = false, onkey = () => false;

const image = (name, alt) => h("img", { src: `${base}/pictures/${name}.png`, alt, draggable: "false" });
const keys = (text) => { $("#keys").textContent = text; };

/** Small pictures are enlarged as far as there is room, all alike. */
const KINDS = {
    pairs(questions) {
        const [{ number, pictures: pair }] = questions;
        const button = (side, index) => h("button", { type: "button", "data-side": side, onclick: () => give({ [number]: side }) },
            image(pair[index], `picture ${index + 1}`), h("span", { "aria-hidden": "true" }, `${index + 1}`));
        pictures.replaceChildren(h("div", { class: "pair" }, button("left", 0), button("right", 1)));
        answer.replaceChildren();
        keys("← or 1: the left one is real · → or 2: the right one");
        const sides = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right" };
        onkey = (key) => sides[key] && give({ [number]: sides[key] });
        return "Which one is real?";
    },
    sheets(questions) {
        const columns = Math.ceil(Math.sqrt(questions.length));
        const cells = questions.map(({ pictures: [name] }, index) => h("button", {
            type: "button", "aria-pressed": "false", "aria-label": `picture ${index + 1}, generated`, tabindex: index ? -1 : 0, onclick: () => mark(index),
        }, image(name, "")));
        const count = h("span", { class: "quiet", role: "status" });
        const focus = (index) => {
            cells.forEach((cell, other) => cell.setAttribute("tabindex", other === index ? 0 : -1));
            cells[index].focus();
        };
        const tell = () => { count.textContent = `${all('[aria-pressed="true"]', pictures).length} marked as generated`; };
        function mark(index) {
            cells[index].setAttribute("aria-pressed", cells[index].getAttribute("aria-pressed") === "false");
            focus(index);
            tell();
        }
        pictures.replaceChildren(h("div", { class: "sheet", "data-columns": columns, role: "group", "aria-label": "pictures" }, cells));
        const send = () => give(Object.fromEntries(questions.map(({ number }, index) =>
            [number, cells[index].getAttribute("aria-pressed") === "true" ? "fake" : "real"])));
        answer.replaceChildren(h("p", { class: "tools" }, h("button", { class: "primary", type: "button", onclick: send }, "Done with this sheet"), count));
        keys("arrows: move · space: mark · click marks, too");
        const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
        onkey = (key) => {
            const at = cells.indexOf(document.activeElement), next = at < 0 ? 0 : at + steps[key];
            if (!steps[key]) return false;
            if (cells[next]) focus(next);
            return true;
        };
        tell();
        return "Which ones are generated?";
    },
    letters(questions) {
        const [{ number, pictures: names }] = questions;
        let chosen = null;
        const go = h("button", { class: "primary", type: "button", disabled: true, onclick: () => give({ [number]: chosen }) }, "Answer");
        const letters = state.choices.map((letter) => h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(letter) }, letter));
        function choose(letter) {
            chosen = letter;
            letters.forEach((button) => button.setAttribute("aria-pressed", button.textContent === letter));
            go.disabled = false;
            go.textContent = `It is ${letter}`;
        }
        pictures.replaceChildren(h("div", { class: "sheet close", "data-columns": 7 }, names.map((name, index) => image(name, `picture ${index + 1}`))));
        answer.replaceChildren(h("div", { class: "letters", role: "group", "aria-label": "letter" }, letters), h("p", {}, go));
        keys("type the letter, then Enter");
        onkey = (key) => {
            if (key === "Enter" && chosen && !letters.includes(document.activeElement)) return give({ [number]: chosen });
            if (key === "Enter" && chosen && document.activeElement.textContent === chosen) return give({ [number]: chosen });
            if (!state.choices.includes(key.toUpperCase())) return false;
            choose(key.toUpperCase());
            go.focus();
            return true;
        };
        return "Which letter do the generated ones form?";
    },
};

async function show(next) {
    state = next;
    $("#who").hidden = true;
    const over = !state.questions.length;
    ask.hidden = over;
    $("#done").hidden = !over;
    if (over) return finish();
    $("#question").textContent = KINDS[state.kind](state.questions);
    const at = state.kind === "sheets" ? Math.floor(state.done / state.questions.length) : state.done;
    const of = state.kind === "sheets" ? Math.ceil(state.most / state.questions.length) : state.most;
    crisp.checked = (localStorage.getItem(remembered) ?? (state.size <= 64 ? "yes" : "no")) === "yes";
    sharpen();
    $("#where").textContent = `${state.rater}, ${at + 1} of ${of}`;
    Object.assign($("#progress"), { max: state.most, value: state.done });
    pictures.classList.add("coming");
    await Promise.all(all("img", pictures).map((it) => it.decode().catch(() => say("a picture of this test cannot be shown", "wrong"))));
    pictures.classList.remove("coming");  // all at once, so that none is seen first
    if (!pictures.contains(document.activeElement)) $("#question").focus({ preventScroll: true });
    began = performance.now();
    busy = false;
}

function finish() {
    onkey = () => false;
    $("#thanked").textContent = `, ${state.rater}`;
    $("#then").textContent = state.open
        ? "All your answers are kept. The result shows which pictures are which: call the next person before you look."
        : state.ended ? "This test has ended; your answers so far are kept."
        : "All your answers are kept. The result opens when the others have finished.";
    $("#done h1").focus();
}

function give(answers) {
    if (busy) return true;
    busy = true;
    const seconds = (performance.now() - began) / 1000;
    post(`/api${base}/answers`, { rater: state.rater, answers, seconds }).then(show).catch((problem) => {
        busy = false;
        say(problem.message, "wrong");
    });
    return true;
}

async function begin(rater) {
    busy = true;
    try {
        await show(await getJson(`/api${base}?rater=${encodeURIComponent(rater)}`));
        sessionStorage.setItem(base, state.rater);
    } catch (problem) {
        busy = false;
        say(problem.message, "wrong");
    }
}

$("#who").addEventListener("submit", (event) => {
    event.preventDefault();
    begin($("#name").value);
});
for (const button of all("[data-rater]")) button.addEventListener("click", () => begin(button.dataset.rater));
$("#next").addEventListener("click", () => sessionStorage.removeItem(base));
const sharpen = () => pictures.classList.toggle("crisp", crisp.checked);
crisp.addEventListener("change", () => {
    localStorage.setItem(remembered, crisp.checked ? "yes" : "no");
    sharpen();
});
document.addEventListener("keydown", (event) => {
    if (ask.hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (onkey(event.key)) event.preventDefault();
});
if (sessionStorage.getItem(base) && $("#name")) begin(sessionStorage.getItem(base));
else $("#name")?.focus();

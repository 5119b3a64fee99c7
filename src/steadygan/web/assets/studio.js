// What every page of the studio uses: asking the server, saying what happened, making elements.

const token = document.querySelector('meta[name="studio-token"]').content;

// a shared link is opened once; its secret stays in a cookie and not in the address
const address = new URL(location);
if (address.searchParams.has("token")) {
    address.searchParams.delete("token");
    history.replaceState(history.state, "", address);
}

async function answered(asked) {
    let response;
    try {
        response = await asked;
    } catch (problem) {
        if (problem.name === "AbortError") throw problem;
        throw new Error("the studio does not answer; is it still running?");
    }
    const text = await response.text();
    let value;
    try {
        value = text ? JSON.parse(text) : null;
    } catch {
        throw new Error(`the studio gave no JSON for ${response.url}`);
    }
    if (!response.ok) throw new Error(value?.error ?? `the studio answered ${response.status}`);
    return value;
}

/** The JSON at an address; an Error with the server's one line if there is none. */
export const getJson = (url, options = {}) => answered(fetch(url, options));

/** Sends `body` (a Blob or File as it is, all else as JSON) with the token of this page; gives the JSON of the answer. */
export function post(url, body = {}, { method = "POST", ...options } = {}) {
    const raw = body instanceof Blob || body instanceof ArrayBuffer;
    const headers = { "X-Studio-Token": token, "Content-Type": raw ? "application/octet-stream" : "application/json" };
    return answered(fetch(url, { method, headers, body: raw ? body : JSON.stringify(body), ...options }));
}

/** Says something at the foot of the page, and to screen readers; `kind` is "" or "wrong". It goes after a while. */
export function say(text, kind = "") {
    const place = document.getElementById("said");
    const line = h("p", { class: kind }, text);
    place.replaceChildren(line);
    setTimeout(() => line.remove(), kind ? 15_000 : 6_000);
}

/**
 * An element: attributes by name, `onclick` and the like are listeners, false, null and undefined leave one out; children are
 * elements, or text, which stays text whatever it holds.
 */
export function h(tag, attributes = {}, ...children) {
    const svg = ["svg", "path", "rect", "circle", "line", "g"].includes(tag);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (typeof value === "function") made.addEventListener(name.replace(/^on/, ""), value);
        else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((it) => it !== null && it !== undefined && it !== false));
    return made;
}

export const $ = (selector, within = document) => within.querySelector(selector);
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];
/** The colour of a chip for each state of a run; the others are quiet. */
export const TONES = { running: "act", diverged: "serious", failed: "serious", broken: "serious", "broken off": "warning", finished: "info" };
export const thousands = (number) => Math.round(number).toLocaleString("en");

/** A duration in words, in its two largest units at most. */
export function duration(seconds) {
    if (!Number.isFinite(seconds)) return "";
    if (seconds < 90) return `${Math.round(seconds)} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    const hours = seconds / 3600;
    return hours < 48 ? `${hours.toFixed(1)} h` : `${(hours / 24).toFixed(1)} days`;
}

/** What the page was given as JSON in the element with this id. */
export const given = (id = "given") => JSON.parse(document.getElementById(id).textContent);

/** A process that the studio started: `told` is called with each news of it, and its end is what this resolves to. */
export async function followJob(id, told = () => {}) {
    for (;;) {
        const job = await getJson(`/api/jobs/${id}`);
        told(job);
        if (job.code !== null) return job;
        await new Promise((done) => setTimeout(done, 700));
    }
}

// Settings as a form: made from the schema of the configuration, a field for each kind of value.

import { h } from "./studio.js";

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const isObject = (it) => it !== null && typeof it === "object" && !Array.isArray(it);

/** What differs, by the places and with the values that `--set` takes: a list whole, a part of another kind whole. */
export function changes(tree, base, place = "") {
    if (isObject(tree) && isObject(base) && tree.kind === base.kind) {
        const names = [...new Set([...Object.keys(base), ...Object.keys(tree)])];
        return Object.assign({}, ...names.map((name) => changes(tree[name] ?? null, base[name] ?? null, place ? `${place}.${name}` : name)));
    }
    return same(tree, base) ? {} : { [place]: tree };
}

/** A tree with values laid over it at their places. */
export function overlay(base, settings) {
    const tree = structuredClone(base);
    for (const [place, value] of Object.entries(settings)) {
        const names = place.split(".");
        const last = names.pop();
        let at = tree;
        for (const name of names) at = isObject(at[name]) ? at[name] : (at[name] = {});
        at[last] = structuredClone(value);
    }
    return tree;
}

/** Reads the schema that `steadygan recipes --json` gives. */
export class Schema {
    constructor(schema) {
        this.root = schema;
    }

    node(node) {
        return node.$ref ? { ...this.root.$defs[node.$ref.split("/").at(-1)], ...node } : node;
    }

    /** The ways that a node leaves, without those inside them. */
    ways(node) {
        const known = this.node(node);
        const inner = known.oneOf ?? known.anyOf;
        return inner ? inner.flatMap((one) => this.ways(one)) : [known];
    }

    /** The way that a value takes. */
    wayOf(node, value) {
        const ways = this.ways(node);
        if (isObject(value)) return ways.find((way) => way.type === "object" && (!way.properties?.kind || way.properties.kind.const === value.kind)) ?? ways[0];
        if (Array.isArray(value)) return ways.find((way) => way.type === "array") ?? ways[0];
        if (value === null) return ways.find((way) => way.type === "null") ?? ways[0];
        return ways.find((way) => !["object", "array", "null"].includes(way.type)) ?? ways[0];
    }

    /** A value to begin with. */
    start(way) {
        if ("default" in way) return structuredClone(way.default);
        if ("const" in way) return way.const;
        if (way.enum) return way.enum[0];
        if (way.type === "object") return Object.fromEntries(Object.entries(way.properties ?? {}).map(([name, inner]) => [name, this.first(inner)]));
        if (way.type === "array") return (way.prefixItems ?? []).map((inner) => this.first(inner));
        return { boolean: false, string: "", null: null }[way.type] ?? "";
    }

    first(node) {
        const known = this.node(node);
        return "default" in known ? structuredClone(known.default) : this.start(this.ways(known)[0]);
    }

    /** The node at a place of a tree, whose kinds decide what there is; undefined if there is none. */
    at(place, tree) {
        let [node, value] = [this.root, tree];
        for (const name of place.split(".")) {
            const way = node && this.wayOf(node, value);
            node = way?.properties?.[name] ?? way?.items;
            value = value?.[name];
        }
        return node;
    }

    /** A value without what is there by default anyway. */
    lean(node, value) {
        const way = node && this.wayOf(node, value);
        if (Array.isArray(value)) return value.map((one) => this.lean(way?.items, one));
        if (!isObject(value) || !way?.properties) return value;
        const kept = Object.entries(value).filter(([name, one]) => name === "kind" || !way.properties[name] || !same(one, this.node(way.properties[name]).default));
        return Object.fromEntries(kept.map(([name, one]) => [name, this.lean(way.properties[name], one)]));
    }

    /** A value with what is there by default. */
    full(node, value) {
        const way = node && this.wayOf(node, value);
        if (Array.isArray(value)) return value.map((one) => this.full(way?.items, one));
        if (!isObject(value) || !way?.properties) return value;
        const names = [...new Set([...Object.keys(way.properties), ...Object.keys(value)])];
        return Object.fromEntries(names.map((name) => [name, name in value ? this.full(way.properties[name], value[name]) : this.first(way.properties[name])]));
    }
}

export const words = (name) => name.replaceAll("_", " ");
const rangeOf = (node) => node.range.replace(/,? or null$/, "").replace(/, less than \d\.\d+e\+\d+/, "");
export const firstSentence = (text) => (text ?? "").split("\n")[0].replaceAll("`", "");

/** What a docstring says of one name in it: the lines or sentences with the name in backticks. */
function said(text, name) {
    const flat = (text ?? "").replaceAll(/\s+/g, " ");
    const sentences = flat.split(/(?<=[.;])\s+(?=[A-Z`-])/).filter((it) => it.includes(`\`${name}\``));
    return sentences.join(" ").replaceAll("`", "").replace(/^- /, "");
}

/**
 * The fields of settings. `base(place)` is what the recipe has. `change(place, value)` is called with each edit that leaves the form
 * as it is, `rebuild(place, value)` with one after which there are other fields; `place` is dotted, and a number in it stands for
 * an element of a list. `empty` says what it means that nothing is given.
 */
export class Fields {
    constructor(schema, { base, change, rebuild, empty = {} }) {
        Object.assign(this, { schema, base, change, rebuild, empty });
    }

    /** Whether a value is typed, so that it has to be said what it may be. */
    typed(node) {
        return this.schema.ways(node).some((way) => ["integer", "number", "string", "array"].includes(way.type) && !way.enum && !("const" in way) && !way.items);
    }

    /** Whether a value is not the recipe's. */
    differs(place, value) {
        return this.base(place) === undefined || !same(value, this.base(place));
    }

    /** All that is in an object, a row for each. */
    inside(way, value, place) {
        return Object.entries(way.properties ?? {})
            .filter(([name]) => name !== "kind" && !(place === "" && name === "recipe") && !(place === "data" && name === "source"))
            .map(([name, inner]) => this.row(name, inner, value?.[name] ?? null, place ? `${place}.${name}` : name, way));
    }

    /** One setting with its name, what it may be, and what is in it. */
    row(name, node, value, place, owner, title = words(name)) {
        const known = this.schema.node(node);
        const way = this.schema.wayOf(node, value);
        const help = said(owner?.description, name);
        const input = this.input(node, value, place, title);
        const undo = this.base(place) !== undefined && h("button", { type: "button", class: "undo", "aria-label": `${title}: as the recipe has it`, title: "as the recipe has it", onclick: () => this.rebuild(place, this.base(place)) }, "↺");
        return h(
            "div", { class: `field${this.differs(place, value) ? " changed" : ""}`, "data-place": place, "data-words": `${place} ${help}`.toLowerCase() },
            h("label", { for: `f-${place}` }, title, this.typed(node) && known.range ? h("small", {}, rangeOf(known)) : null),
            h("div", { class: "value" }, input, undo),
            help ? h("p", { class: "help" }, help) : null,
            h("p", { class: "wrong", id: `wrong-${place}`, role: "alert" }),
            way.type === "object" ? this.part(way, value, place) : null,
            way.type === "array" && this.ofParts(way) ? this.list(way, value, place) : null,
        );
    }

    /** What a part says of itself, and its own settings. */
    part(way, value, place) {
        const inner = this.inside(way, value, place);
        return h(
            "div", { class: "part" },
            way.description ? h("p", { class: "help" }, firstSentence(way.description)) : null,
            way.helps ? h("p", { class: "help" }, h("b", {}, "Helps: "), way.helps) : null,
            way.hurts ? h("p", { class: "help" }, h("b", {}, "Hurts: "), way.hurts) : null,
            inner,
        );
    }

    list(way, value, place) {
        const items = (value ?? []).map((item, number) => h(
            "div", { class: "item" },
            this.row(String(number), way.items, item, `${place}.${number}`, null, `${words(place.split(".").at(-1))} ${number + 1}`),
            h("button", { type: "button", onclick: () => this.rebuild(place, value.filter((_, other) => other !== number)) }, `remove`),
        ));
        const add = () => this.rebuild(place, [...(value ?? []), this.filled(this.schema.ways(way.items)[0], null)]);
        return h("div", { class: "part" }, items, h("button", { type: "button", id: `f-${place}`, onclick: add }, "add"));
    }

    input(node, value, place, title) {
        const ways = this.schema.ways(node);
        const id = `f-${place}`;
        const kinds = ways.filter((way) => way.type === "object" && way.properties?.kind);
        const plain = ways.filter((way) => !["object", "array", "null"].includes(way.type));
        const may_be_null = ways.some((way) => way.type === "null");
        if (kinds.length) return this.kinds(kinds, plain, may_be_null, value, place, title);
        const way = this.schema.wayOf(node, value);
        if (way.type === "object") return null;
        const row = ways.find((one) => one.type === "array");
        if (row && !this.ofParts(row)) return row.prefixItems ? this.several(row, value, place, title) : this.numbers(row, may_be_null, value, place);
        if (row) return null;
        const options = ways.flatMap((one) => one.enum ?? ("const" in one ? [one.const] : []));
        if (options.length) return this.select(id, [...(may_be_null ? [null] : []), ...options], value, (picked) => this.change(place, picked));
        if (ways.some((one) => one.type === "boolean"))
            return h("input", { type: "checkbox", id, checked: value === true, onchange: (event) => this.change(place, event.target.checked) });
        return this.text(id, plain, may_be_null, value, place);
    }

    /** A part is chosen by its kind; a number beside the parts is what stays the same all the time. */
    kinds(kinds, plain, may_be_null, value, place, title) {
        const names = kinds.map((way) => way.properties.kind.const);
        const kind = isObject(value) ? value.kind : value === null ? "none" : "number";
        const pick = (name) => {
            if (name === "none") return this.rebuild(place, null);
            if (name === "number") return this.rebuild(place, value?.start ?? value?.value ?? value?.low ?? "");
            const chosen = kinds.find((way) => way.properties.kind.const === name);
            return this.rebuild(place, this.filled(chosen, value));
        };
        const options = [...(may_be_null && !names.includes("none") ? ["none"] : []), ...(plain.length ? ["number"] : []), ...names];
        const select = this.select(`f-${place}`, options, kind, pick, plain.length ? { number: "a number" } : {});
        if (kind !== "number") return select;
        return [this.text(`f-${place}`, plain, false, value, place), this.select(`k-${place}`, options, kind, pick, { number: "constant" }, `${title}: constant or schedule`)];
    }

    /** A kind with its defaults; what a schedule needs begins at the number that was there. */
    filled(way, value) {
        const made = Object.fromEntries(Object.entries(way.properties).map(([name, inner]) => [name, this.schema.first(inner)]));
        if (typeof value === "number")
            for (const name of ["start", "end", "value", "low", "high"]) if (made[name] === "") made[name] = value;
        return made;
    }

    several(way, value, place, title) {
        return h("span", { class: "several" }, way.prefixItems.map((inner, number) => {
            const put = (one) => this.change(place, value.map((old, other) => (other === number ? one : old)));
            return h("input", { id: number ? null : `f-${place}`, "aria-label": `${title}, ${number + 1}`, inputmode: "decimal", value: String(value?.[number] ?? ""), onchange: (event) => put(read(event.target.value, true)) });
        }));
    }

    /** A list of numbers or words, with commas between them. */
    numbers(way, may_be_null, value, place) {
        const numeric = this.schema.ways(way.items ?? {}).some((one) => ["integer", "number"].includes(one.type));
        const list = (text) => text.split(",").filter((one) => one.trim()).map((one) => read(one.trim(), numeric));
        return h("input", {
            id: `f-${place}`, value: (value ?? []).join(", "), spellcheck: "false", placeholder: may_be_null ? (this.empty[place] ?? "chosen by itself") : "none",
            "aria-describedby": `wrong-${place}`, onchange: ({ target }) => this.change(place, target.value.trim() === "" && may_be_null ? null : list(target.value)),
        });
    }

    /** Whether a list is one of parts, each with settings of its own. */
    ofParts(way) {
        return !!way.items && this.schema.ways(way.items).some((one) => one.type === "object");
    }

    select(id, options, value, pick, names = {}, label = null) {
        const shown = (it) => names[it] ?? (it === null ? "none" : String(it));
        const select = h("select", { id, "aria-label": label, onchange: (event) => pick(options[event.target.selectedIndex]) },
            options.map((it) => h("option", { selected: it === value }, shown(it))));
        if (!options.includes(value)) select.selectedIndex = -1;
        return select;
    }

    text(id, plain, may_be_null, value, place) {
        const numeric = plain.some((way) => ["integer", "number"].includes(way.type));
        return h("input", {
            id, value: value === null ? "" : String(value), inputmode: numeric ? "decimal" : null, spellcheck: "false",
            placeholder: may_be_null ? (this.empty[place] ?? "chosen by itself") : null, "aria-describedby": `wrong-${place}`,
            onchange: (event) => this.change(place, event.target.value.trim() === "" && may_be_null ? null : read(event.target.value, numeric)),
        });
    }
}

/** What was typed: a number where one is wanted and it is one, else the text, which the command line judges. */
export function read(text, numeric) {
    const plain = text.trim();
    return numeric && /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) && Number.isFinite(Number(plain)) ? Number(plain) : numeric ? plain : text;
}

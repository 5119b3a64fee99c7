"use strict";
// What charts over images seen have in common: numbers in few characters, smooth curves, limits and ticks of an axis.
const axes = (() => {
    const lastAt = (numbers, at) => {
        // the index of the last of ascending numbers that is not above `at`, -1 before the first
        let low = 0, high = numbers.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (numbers[middle] <= at) low = middle + 1; else high = middle;
        }
        return low - 1;
    };

    function short(number) {
        if (number === null || number === undefined) return "–";
        const size = Math.abs(number);
        const [unit, name] = [[1e9, "G"], [1e6, "M"], [1e4, "k"]].find(([least]) => size >= least) ?? [1, ""];
        if (size && size < 1e-3) return number.toExponential(1);
        return `${Number((number / (name === "k" ? 1e3 : unit)).toPrecision(3))}${name}`;
    }

    function label(number, step) {
        // as many digits as tell ticks apart
        const first = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), rest = step * 10 ** first;
        const digits = first + Number(Math.abs(rest - Math.round(rest)) > 1e-6); // steps of 0.25 have one more
        return Math.abs(number) >= 1e4 || digits > 5 ? short(number) : String(Number(number.toFixed(digits)));
    }

    function smooth(values, reach) {
        // the mean of each value and its neighbours; a gap stays one, and parts what is left and right of it
        const out = new Array(values.length).fill(null);
        for (let from = 0; from < values.length; from++) {
            if (values[from] === null) continue;
            let to = from;
            while (to < values.length && values[to] !== null) to++;
            const sums = [0];
            for (let at = from; at < to; at++) sums.push(sums.at(-1) + values[at]);
            for (let at = from; at < to; at++) {
                const low = Math.max(0, at - from - reach), high = Math.min(to - from, at - from + reach + 1);
                out[at] = (sums[high] - sums[low]) / (high - low);
            }
            from = to;
        }
        return out;
    }

    function limits(specs, range) {
        // from nearly the lowest to nearly the highest of what is in view; what lies far beyond leaves the chart
        const { logarithmic, lowest, highest, floor } = specs[0], values = [];
        const taken = (spec) => spec.x.map((at) => !(spec.lost ?? []).some(([from, to]) => from < at && at <= to));
        for (const spec of specs) {
            const kept = taken(spec), any = kept.includes(true);
            const from = Math.max(0, lastAt(spec.x, range[0])), to = Math.min(spec.x.length - 1, lastAt(spec.x, range[1]) + 1);
            for (const line of [...spec.lines.map((it) => it.values), spec.low ?? [], spec.high ?? []]) {
                for (let at = from; at <= to; at++) {
                    const value = line[at];
                    if ((kept[at] || !any) && Number.isFinite(value) && (!logarithmic || value > 0)) values.push(logarithmic ? Math.log10(value) : value);
                }
            }
        }
        if (!values.length) return logarithmic ? [0.1, 10] : [lowest ?? 0, highest ?? 1];
        values.sort((a, b) => a - b);
        const cut = values.length < 8 ? 0 : Math.max(1, Math.floor(values.length * 0.04));
        const inner = [values[cut], values.at(-1 - cut)], reach = (values.length < 60 ? 4 : 1) * (inner[1] - inner[0]) || Math.abs(inner[0]) || 1;
        let low = Math.max(values[0], inner[0] - reach), high = Math.min(values.at(-1), inner[1] + reach);
        if (Number.isFinite(floor) && !logarithmic) [low, high] = [Math.min(low, floor), Math.max(high, floor)];
        const air = (high - low) * 0.07 || Math.abs(high) * 0.1 || 0.5;
        [low, high] = [low - air, high + air];
        if (logarithmic) return [10 ** low, 10 ** high];
        return [lowest ?? low, highest ?? high];
    }

    function decades(low, high) {
        // round numbers on a logarithmic axis, from few to many until there are three
        const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high)), every = Math.ceil((to - from) / 6);
        let ticks = [];
        for (const parts of [[1], [1, 3], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5]]) {
            ticks = [];
            for (let power = from; power <= to; power += every) ticks.push(...parts.map((part) => Number(`${part}e${power}`)));
            ticks = ticks.filter((tick) => tick >= low && tick <= high);
            if (ticks.length >= 3) break;
        }
        return ticks;
    }

    return { lastAt, short, label, smooth, limits, decades };
})();

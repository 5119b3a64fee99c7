// One slider over all moments of which there are pictures: it stays where it was put, and at its end follows the newest.
import { $ } from "/assets/studio.js";

/** `goTo(images)` shows a moment and says it in words. Returns {moments(list), goTo(images), again(), moment}. */
export function player({ goTo }) {
    const slider = $("#slider"), play = $("#play"), newest = $("#newest");
    let all = [], moment = null, follows = true, timer = 0;

    function show(images, chosen) {
        if (!all.length) return;
        const at = Math.max(0, all.findLastIndex((it) => it <= images));
        moment = all[at];
        if (chosen) follows = at === all.length - 1;
        slider.max = all.length - 1;
        slider.value = at;
        if (newest) newest.hidden = follows;
        const words = goTo(moment);
        slider.setAttribute("aria-valuetext", words);
        $("#seen").textContent = words;
    }

    function stop() {
        clearInterval(timer);
        timer = 0;
        play.textContent = "▶";
        play.setAttribute("aria-pressed", "false");
        play.setAttribute("aria-label", "Play");
    }

    function step(by) {
        show(all[Math.min(all.length - 1, Math.max(0, Number(slider.value) + by))], true);
    }

    play.addEventListener("click", () => {
        if (timer) return stop();
        if (Number(slider.value) >= all.length - 1) show(all[0], true);
        play.textContent = "❚❚";
        play.setAttribute("aria-pressed", "true");
        play.setAttribute("aria-label", "Pause");
        timer = setInterval(() => {
            step(1);
            if (Number(slider.value) >= all.length - 1) stop();
        }, 250);
        return undefined;
    });
    slider.addEventListener("input", () => { stop(); show(all[Number(slider.value)], true); });
    newest?.addEventListener("click", () => { stop(); show(all.at(-1), true); });
    document.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!by || !all.length || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, pre")) return;
        event.preventDefault();
        stop();
        step(by);
    });
    return {
        moments(list) {
            all = list;
            $("#player").hidden = all.length < 2;
            if (!all.length) moment = null;
            else show(follows || moment === null ? all.at(-1) : moment, false);
        },
        goTo(images) { stop(); show(images, true); },
        again() { if (moment !== null) show(moment, false); },
        get moment() { return moment; },
    };
}

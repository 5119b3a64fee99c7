// The list of a run's Turing tests: begins a new one, as a process of the command line.
import { $, all, followJob, post, say } from "/assets/studio.js";

const MANY = { pairs: 40, sheets: 3, letters: 5 };
const form = $("#begin"), number = $("#number"), news = $("#news");

for (const kind of all('[name="kind"]')) kind.addEventListener("change", () => { number.value = MANY[kind.value]; });

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("button", form);
    button.disabled = true;
    news.textContent = "drawing pictures …";
    try {
        const { job } = await post(`/api/runs/${form.dataset.run}/turing`, { kind: form.elements.kind.value, number: Number(number.value) });
        const ended = await followJob(job);
        if (ended.code) throw new Error(ended.line);
        const made = ended.lines.map((line) => line.match(/^test\s.*[\\/](\S+)$/)).find(Boolean);
        location.assign(`/runs/${form.dataset.run}/turing${made ? `/${encodeURIComponent(made[1])}` : ""}`);
    } catch (problem) {
        news.textContent = "";
        say(problem.message, "wrong");
        button.disabled = false;
    }
});

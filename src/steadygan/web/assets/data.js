// The pages of data: looking into a folder, and inspecting a set that nobody has looked into.

import { $, followJob, getJson, post, say } from "./studio.js";

const form = $("#look");
form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [button, line] = [$("button", form), $("#looking")];
    const tell = (text, kind = "") => Object.assign(line, { textContent: text, className: `says ${kind}`, hidden: !text });
    button.disabled = true;
    tell("looking at every file …");
    try {
        const job = await post("/api/new/check", { source: $("#source").value.trim() });
        await followJob(job.id, ({ line: said }) => said.startsWith("preparing") && tell(said));
        const found = await getJson(`/api/new/check/${job.id}`);
        if (found.set) location.href = `/data/${found.set}`;
        else tell(found.problems.map((it) => it.problem).join("; "), "wrong");
    } catch (problem) {
        tell(problem.message, "wrong");
    }
    button.disabled = false;
});

const button = $("#inspect");
async function inspect(job) {
    button.disabled = true;
    const end = await followJob(job, ({ line }) => ($("#inspecting").textContent = line || "looking at every image …"));
    if (end.code === 0) location.reload();
    else {
        button.disabled = false;
        $("#inspecting").textContent = "";
        say(end.line, "wrong");
    }
}
if (button?.dataset.job) inspect(button.dataset.job);
button?.addEventListener("click", async () => {
    try {
        await inspect((await post(`/api/data/${button.dataset.set}/inspect`)).id);
    } catch (problem) {
        button.disabled = false;
        say(problem.message, "wrong");
    }
});

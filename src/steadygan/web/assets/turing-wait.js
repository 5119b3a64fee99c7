// A result that waits for raters: ends the test without them, on request.
import { $, post, say } from "/assets/studio.js";

const { run, test } = $("#wait").dataset;

$("#end")?.addEventListener("click", async () => {
    try {
        await post(`/api/runs/${run}/turing/${encodeURIComponent(test)}/end`, { end: true });
        location.reload();
    } catch (problem) {
        say(problem.message, "wrong");
    }
});

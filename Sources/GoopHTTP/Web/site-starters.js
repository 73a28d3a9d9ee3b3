// Ready-made sites: looked at first, then written, with a question that names every file that would be replaced.

import { element, find, post, tell, tellFailure } from "/assets/words.js";
import { askQuestion } from "/assets/site-dialogs.js";
import { lossText } from "/assets/site-upload.js";

const titles = { plain: "One page", guestbook: "Guestbook", poll: "Poll", blog: "Blog", neighbour: "All of them" };

/// Lists the sites, once.
export function showStarters(starters) {
  const place = find("starters");
  if (place.querySelector("input")) return;
  for (const { name, summary } of starters) {
    const input = element("input", "");
    input.type = "radio";
    input.name = "starter";
    input.value = name;
    input.id = `starter-${name}`;
    const label = element("label", "choice", input, element("span", "", element("b", "", titles[name] ?? name), element("br", ""), summary));
    label.htmlFor = input.id;
    place.append(label);
  }
  place.addEventListener("change", () => { find("starter-look").disabled = false; });
}

/// `whenDone()` shows the folder anew, `sheet()` is what was shown last.
export function prepareStarters(whenDone, sheet) {
  find("starter-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const starter = find("starters").querySelector("input:checked")?.value;
    if (!starter) return;
    try {
      const { files } = await post("/api/rooms/site/starter/check", { starter });
      await offer(starter, files, sheet());
    } catch (error) {
      tellFailure(error);
    }
    await whenDone();
  });
}

/// The tables that were there may be of another make than the pages expect.
function told(kept) {
  return kept.map(({ table, columns }) =>
    ` The table ${table} was there and stays as it is; the pages need these columns: ${columns.join(", ")}.`).join("");
}

async function offer(starter, files, sheet) {
  const of = (effect) => files.filter((file) => file.effect === effect).map((file) => file.path);
  const [fresh, replaced, blocked] = [of("new"), of("replaces"), of("blocked")];
  const title = titles[starter] ?? starter;
  if (blocked.length > 0) {
    await askQuestion({
      title: `“${title}” cannot be added`, text: "Something else has the names of these files. Rename or delete it first.",
      names: blocked, answers: [], cancel: "Close",
    });
    return;
  }
  if (fresh.length === 0 && replaced.length === 0) {
    const { kept } = await post("/api/rooms/site/starter/apply", { starter, replace: [] });
    tell(`All of its files are there already.${told(kept)}`);
    return;
  }
  const replaces = replaced.length > 0;
  const names = [...replaced.map((path) => `${path} (replaces yours)`), ...fresh.map((path) => `${path} (new)`)];
  const answer = await askQuestion({
    title: replaces ? `Add “${title}”? It replaces ${replaced.length} of your files` : `Add “${title}” to your site?`,
    text: replaces
      ? `You can put back for a week what they hold now. Files with other names stay as they are.${lossText(sheet, replaced)}`
      : "Nothing of yours is replaced.",
    names, answers: [{ text: replaces ? "Replace" : "Add", value: true, danger: replaces, primary: !replaces }],
  });
  if (!answer) return;
  const { kept } = await post("/api/rooms/site/starter/apply", { starter, replace: replaced });
  tell(`“${title}” is in your folder.${replaces ? " What it replaced can be put back for a week." : ""}${told(kept)}`);
}

// Ready-made sites: looked at first, then written, with a question for every file that would be lost.

import { element, find, post, tell, tellFailure } from "/assets/words.js";
import { askQuestion } from "/assets/site-dialogs.js";

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

/// `whenDone()` shows the folder anew.
export function prepareStarters(whenDone) {
  find("starter-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const starter = find("starters").querySelector("input:checked")?.value;
    if (!starter) return;
    try {
      const { files } = await post("/api/rooms/site/starter/check", { starter });
      await offer(starter, files);
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

async function offer(starter, files) {
  const of = (effect) => files.filter((file) => file.effect === effect).map((file) => file.path);
  const [fresh, lost, blocked] = [of("new"), of("replaces"), of("blocked")];
  const title = titles[starter] ?? starter;
  if (blocked.length > 0) {
    await askQuestion({
      title: `“${title}” cannot be added`, text: "Something else has the names of these files. Rename or delete it first.",
      names: blocked, answers: [], cancel: "Close",
    });
    return;
  }
  if (fresh.length === 0 && lost.length === 0) {
    const { kept } = await post("/api/rooms/site/starter/apply", { starter, replace: [] });
    tell(`All of its files are there already.${told(kept)}`);
    return;
  }
  const names = [...lost.map((path) => `${path} (replaces yours)`), ...fresh.map((path) => `${path} (new)`)];
  const answer = await askQuestion({
    title: lost.length > 0 ? `Replace your files with “${title}”?` : `Add “${title}” to your site?`,
    text: lost.length > 0
      ? "What these files hold now is lost. Files with other names stay as they are."
      : "Nothing of yours is replaced.",
    names, answers: [{ text: lost.length > 0 ? "Replace" : "Add", value: true, danger: lost.length > 0, primary: lost.length === 0 }],
  });
  if (!answer) return;
  const { kept } = await post("/api/rooms/site/starter/apply", { starter, replace: lost });
  tell(`“${title}” is in your folder.${told(kept)}`);
}

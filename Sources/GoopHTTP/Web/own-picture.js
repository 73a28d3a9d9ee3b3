// Settings: the picture that others see beside the owner's name.

import { ownFace, showFace } from "/assets/face.js";
import { find, get, post, postFile, reasonOf, setText, sizeText, tell, tellFailure } from "/assets/words.js";

const largest = 256 * 1024;
const kinds = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const place = find("own-picture-place");
const file = find("own-picture-file");
const choose = find("own-picture-choose");
const remove = find("own-picture-remove");
const fault = find("own-picture-fault");

/// Whether it is known which picture there is.
let isKnown = false;

function show(hash) {
  isKnown = true;
  showFace(place, ownFace(hash), "Your picture");
  remove.hidden = !hash;
  setText(find("own-picture-none"), hash ? "" : "You have chosen none.");
}

function fail(text) {
  setText(fault, text);
  fault.hidden = false;
}

choose.addEventListener("click", () => file.click());

file.addEventListener("change", async () => {
  const [chosen] = file.files;
  if (!chosen) return;
  fault.hidden = true;
  try {
    if (chosen.size > largest) return fail(`That file has ${sizeText(chosen.size)}; a picture has at most 256 KiB. Choose a smaller one.`);
    if (chosen.type && !kinds.includes(chosen.type)) return fail("Only PNG, JPEG, WebP and GIF are taken. Choose another file.");
    const { hash } = await postFile("/api/avatar/upload", chosen);
    show(hash);
    tell("The others see this picture now.");
  } catch (error) {
    fail(reasonOf(error));
  } finally {
    file.value = "";
  }
});

remove.addEventListener("click", async () => {
  fault.hidden = true;
  try {
    await post("/api/avatar/delete", {});
    show("");
    choose.focus();
    tell("Your picture was removed.");
  } catch (error) {
    tellFailure(error);
  }
});

// This answer may come after that to a choice: it is older, and takes no fault away.
get("/api/self").then((self) => { if (!isKnown) show(self.avatar_hash); }, (error) => fail(reasonOf(error)));

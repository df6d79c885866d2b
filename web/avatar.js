// The picture of the profile, or initials if there is none.

const view = {
  picture: document.querySelector("#picture"),
  initials: document.querySelector("#initials"),
  displayName: document.querySelector("#display-name"),
};

const MAX_INITIALS = 2;

/**
 * @param {object} data the profile data
 * @param {string} email shown if the profile has no name
 * @param {boolean} isPictureAllowed whether the page's Content-Security-Policy allows pictures of
 *   other servers
 */
export function showAvatar(data, email, isPictureAllowed) {
  const hasName = typeof data.name === "string" && data.name.trim() !== "";
  const name = hasName ? data.name : email;
  view.displayName.textContent = name;
  view.initials.textContent = initialsOf(name);
  view.picture.hidden = true;
  view.picture.removeAttribute("src");
  if (isPictureAllowed && isHttps(data.picture)) {
    view.picture.onload = () => {
      view.picture.hidden = false;
    };
    view.picture.src = data.picture;
  }
}

function isHttps(value) {
  return typeof value === "string" && value.startsWith("https://") && URL.canParse(value);
}

/** The first letters of the first and the last word. */
function initialsOf(name) {
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  const letters = ends.map((word) => [...word][0] ?? "");
  return letters.slice(0, MAX_INITIALS).join("").toLocaleUpperCase();
}

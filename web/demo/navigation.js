// @ts-check
// The links to the sections. The URL's hash holds the visitor's choice, so a link scrolls and leaves the hash alone.

export function startNavigation() {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("nav a, a.skip")]);
  for (const link of links) {
    link.addEventListener("click", (event) => {
      const section = document.getElementById(link.hash.slice(1));
      if (!section) return;
      event.preventDefault();
      section.scrollIntoView();
      /** @type {HTMLElement | null} */ (section.querySelector("h2"))?.focus({ preventScroll: true });
    });
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const link = links.find((one) => one.hash === `#${entry.target.id}` && one.closest("nav"));
        if (entry.isIntersecting) link?.setAttribute("aria-current", "true");
        else link?.removeAttribute("aria-current");
      }
    },
    { rootMargin: "-30% 0px -69% 0px" },
  );
  for (const section of document.querySelectorAll("main > section")) observer.observe(section);
}

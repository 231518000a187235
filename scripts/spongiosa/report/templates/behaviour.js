"use strict";
(function () {
  const status = document.getElementById("status");
  const say = (words) => { status.textContent = words; };

  // "≤ 82.5", "−1.8", "1 234", "< 0.001", "0.700 (0.614 to 0.781)": the first number decides.
  const numberIn = (text) => {
    const match = text.replace(/\u2212/g, "-").replace(/[\u202f\u00a0]/g, "").match(/[-+]?\d+(\.\d+)?/);
    return match ? parseFloat(match[0]) : NaN;
  };
  const bodyOf = (element) => element.closest(".exhibit").querySelector("tbody");
  const textOf = (cell) => cell.textContent.trim();

  // The original order of a table, noted when it is first sorted.
  const positions = new WeakMap();
  const positionOf = (row) => positions.get(row);
  const noteOrder = (body) => {
    if (positions.has(body)) return;
    positions.set(body, true);
    Array.from(body.rows).forEach((row, position) => positions.set(row, position));
  };
  const { compare } = new Intl.Collator("en", { numeric: true });

  const refold = (exhibit) => {
    if (exhibit.classList.contains("unfolded") || exhibit.querySelector("input[type=search]")?.value) return;
    const shown = Number(exhibit.dataset.shown);
    Array.from(exhibit.querySelector("tbody").rows).forEach((row, position) => {
      row.classList.toggle("folded", position >= shown);
    });
  };

  const sort = (button) => {
    const heading = button.closest("th");
    const exhibit = button.closest(".exhibit");
    const body = bodyOf(button);
    const column = heading.cellIndex;
    const next = { ascending: "descending", descending: "none" }[heading.getAttribute("aria-sort")] || "ascending";
    heading.closest("tr").querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    noteOrder(body);
    const rows = Array.from(body.rows);
    if (next === "none") {
      rows.sort((a, b) => positionOf(a) - positionOf(b));
    } else {
      heading.setAttribute("aria-sort", next);
      const turn = next === "ascending" ? 1 : -1;
      const isNumber = heading.classList.contains("number");
      const keyed = rows.map((row) => {
        const text = textOf(row.cells[column]);
        return { row, text, key: isNumber ? numberIn(text.startsWith("–") ? "" : text) : text };
      });
      // What is missing stays at the end, whichever way the rest is turned.
      const isMissing = (item) => (isNumber ? Number.isNaN(item.key) : item.text === "");
      keyed.sort((a, b) => {
        if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
        const order = isNumber ? a.key - b.key : compare(a.text, b.text);
        return turn * order || positionOf(a.row) - positionOf(b.row);
      });
      rows.splice(0, rows.length, ...keyed.map((item) => item.row));
    }
    const sorted = document.createDocumentFragment();
    rows.forEach((row) => sorted.append(row));
    body.append(sorted);
    refold(exhibit);
    say(next === "none" ? "Original order." : "Sorted by " + textOf(button) + ", " + next + ".");
  };

  const gridOf = (exhibit) => Array.from(exhibit.querySelectorAll("tr"))
    .map((row) => Array.from(row.cells).map(textOf));

  const copy = async (button) => {
    const text = gridOf(button.closest(".exhibit")).map((row) => row.join("\t")).join("\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    say("The table was copied.");
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1200);
  };

  const save = (button) => {
    const exhibit = button.closest(".exhibit");
    // A cell that starts like a formula is quoted, so that a spreadsheet does not run it.
    const quoted = (text) => '"' + (/^[=+@\t]/.test(text) ? "'" : "") + text.replace(/"/g, '""') + '"';
    const csv = "\ufeff" + gridOf(exhibit).map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    link.download = exhibit.id + ".csv";
    link.click();
    URL.revokeObjectURL(link.href);
  };

  const unfold = (button) => {
    const exhibit = button.closest(".exhibit");
    exhibit.classList.add("unfolded");
    exhibit.querySelectorAll("tr.folded").forEach((row) => row.classList.remove("folded"));
    button.closest(".more").remove();
  };

  const filter = (input) => {
    const exhibit = input.closest(".exhibit");
    const wanted = input.value.trim().toLowerCase();
    let count = 0;
    Array.from(exhibit.querySelector("tbody").rows).forEach((row) => {
      const found = row.textContent.toLowerCase().includes(wanted);
      row.classList.toggle("filtered", !found);
      if (wanted) row.classList.remove("folded");
      count += found;
    });
    refold(exhibit);
    say(count + " rows.");
  };

  const theme = () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  };

  const actions = { sort, copy, save, unfold, theme };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-action]");
    if (button) actions[button.dataset.action](button);
  });
  document.addEventListener("input", (event) => {
    if (event.target.dataset.action === "filter") filter(event.target);
  });
  // What a point or bar says appears at once, instead of the browser's own words after a second.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  tip.hidden = true;
  document.body.append(tip);
  let pointed = null;
  const leave = () => {
    if (pointed) pointed.mark.append(pointed.title);
    pointed = null;
    tip.hidden = true;
  };
  document.addEventListener("pointerover", (event) => {
    leave();
    const mark = event.target.closest("figure svg use, figure svg path");
    const title = mark && Array.from(mark.children).find((child) => child.tagName === "title");
    if (!title) return;
    pointed = { mark, title };
    tip.textContent = title.textContent;
    title.remove();
    tip.hidden = false;
    const box = mark.getBoundingClientRect();
    const left = Math.min(box.left + box.width / 2 + 12, innerWidth - tip.offsetWidth - 8);
    const top = box.top - tip.offsetHeight - 8;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = (top < 8 ? box.bottom + 8 : top) + "px";
  });
  document.documentElement.addEventListener("pointerleave", leave);
  addEventListener("scroll", leave, { passive: true, capture: true });

  // The contents follow the reader: the current section is marked, and only its own list is open.
  const places = new Map();
  document.querySelectorAll("nav a").forEach((link) => {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (target) places.set(target, link);
  });
  const follow = () => {
    let current = null;
    places.forEach((_, target) => {
      const top = target.getBoundingClientRect().top;
      if (top < innerHeight * 0.3 && (!current || top >= current.getBoundingClientRect().top)) current = target;
    });
    const link = places.get(current) || places.values().next().value;
    if (!link || link.hasAttribute("aria-current")) return;
    document.querySelectorAll("nav [aria-current]").forEach((other) => other.removeAttribute("aria-current"));
    document.querySelectorAll("nav li.current").forEach((item) => item.classList.remove("current"));
    link.setAttribute("aria-current", "true");
    for (let item = link.closest("li"); item; item = item.parentElement.closest("li")) item.classList.add("current");
    const nav = link.closest("nav");
    if (nav.scrollHeight > nav.clientHeight) {
      nav.scrollTop = link.offsetTop - nav.clientHeight / 2;
    }
  };
  let isWaiting = false;
  const soon = () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => { isWaiting = false; follow(); });
  };
  document.documentElement.classList.add("spied");
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  follow();

  // On paper everything is shown.
  addEventListener("beforeprint", () => {
    document.querySelectorAll(".exhibit:not(#patient-list) tr.folded").forEach((row) => row.classList.remove("folded"));
  });
})();

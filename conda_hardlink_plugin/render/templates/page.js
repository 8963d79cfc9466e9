"use strict";
(() => {
  document.querySelector(".finder").hidden = false;
  const search = document.getElementById("search");
  const matches = document.getElementById("matches");
  const chosen = document.getElementById("chosen");
  const numbers = new Intl.NumberFormat("en");
  const numbersOf = (text) => (text ? text.split(" ").map(Number) : []);

  // To keep searching and sorting fast, the texts are read once, and a long table shows only its
  // first rows.
  const FEW = 200;
  const tables = [...document.querySelectorAll("table.sortable")].map((table) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({
      row,
      text: row.textContent.toLowerCase() + "\n" + (row.cells[0].title || "").toLowerCase(),
      values: [...row.cells].map((cell) =>
        cell.dataset.v === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.v)),
      environment: row.dataset.e === undefined ? null : Number(row.dataset.e),
      package: row.dataset.p === undefined ? null : Number(row.dataset.p),
      kind: row.dataset.k,
      users: new Set(numbersOf(row.dataset.u)),
      matches: true,
    }));
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    table.parentElement.after(more);
    return { table, body, rows, more, limit: FEW, searched: table.classList.contains("searched") };
  });
  const show = (table) => {
    const found = table.rows.filter((item) => item.matches);
    table.body.replaceChildren(...found.slice(0, table.limit).map((item) => item.row));
    table.more.hidden = found.length <= table.limit;
    table.more.textContent = `Show all ${numbers.format(found.length)} rows`;
  };
  for (const table of tables) {
    table.more.addEventListener("click", () => {
      table.limit = Infinity;
      show(table);
    });
    show(table);
  }
  const packageRows = tables.flatMap((table) => table.rows).filter((item) => item.package !== null);

  // Sort.
  const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  const sortBy = (sorted, column) => {
    const { table, rows } = sorted;
    const heading = table.tHead.rows[0].cells[column];
    const before = heading.getAttribute("aria-sort");
    const first = heading.classList.contains("n") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const direction = before === first ? second : first;
    const sign = direction === "ascending" ? 1 : -1;
    rows.sort((one, other) =>
      sign * compare(one.values[column], other.values[column]) || compare(one.values[0], other.values[0]));
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    show(sorted);
  };
  for (const table of tables) {
    [...table.table.tHead.rows[0].cells].forEach((cell, column) => {
      cell.querySelector("button")?.addEventListener("click", () => sortBy(table, column));
    });
  }

  // Search, and filter by a choice on the map or in the legend.
  let choice = null;
  const isChosen = (item) => {
    if (choice === null) return true;
    if (item.package !== null) return choice.packages.has(item.package);
    return choice.environments.has(item.environment);
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = { package: [0, 0], environment: [0, 0] };
    for (const searched of tables.filter((table) => table.searched)) {
      const counts = { "package-table": shown.package, "environment-table": shown.environment };
      for (const item of searched.rows) {
        item.matches = isChosen(item) && words.every((word) => item.text.includes(word));
      }
      const of = counts[searched.table.id];
      if (of) {
        of[0] = searched.rows.filter((item) => item.matches).length;
        of[1] = searched.rows.length;
      }
      show(searched);
    }
    const matching = (noun, [some, all]) => `${numbers.format(some)} of ${numbers.format(all)} ${noun}`;
    matches.textContent = words.length || choice
      ? `${matching("environments", shown.environment)}, ${matching("packages", shown.package)}` : "";
  };
  const choose = (next) => {
    choice = next;
    chosen.hidden = next === null;
    chosen.textContent = next === null ? "" : `${next.label} \u2715`;
    chosen.setAttribute("aria-label", next === null ? "" : `Show everything, not only ${next.label}`);
    for (const button of document.querySelectorAll("[data-kind]")) {
      button.setAttribute("aria-pressed", String(next !== null && next.kind === button.dataset.kind));
    }
    for (const tile of document.querySelectorAll(".tile")) {
      tile.classList.toggle("shown", next !== null && next.tile === tile);
      tile.classList.toggle(
        "faded", Boolean(next?.kind) && !tile.classList.contains(`k-${next.kind}`));
    }
    filter();
  };
  const choosePackages = (wanted, more) => {
    const rows = packageRows.filter(wanted);
    choose({
      packages: new Set(rows.map((item) => item.package)),
      environments: new Set(rows.flatMap((item) => [...item.users])),
      ...more,
    });
  };
  const chooseTile = (tile) => {
    if (choice?.tile === tile) return choose(null);
    const { packages, environments, label } = tile.dataset;
    if (packages !== undefined) {
      const wanted = new Set(numbersOf(packages));
      choosePackages((item) => wanted.has(item.package), { label, tile });
    } else if (environments !== undefined) {
      const wanted = new Set(numbersOf(environments));
      choosePackages((item) => [...wanted].some((number) => item.users.has(number)), { label, tile, environments: wanted });
    }
  };
  for (const button of document.querySelectorAll("[data-kind]")) {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      const { kind, label } = button.dataset;
      if (choice?.kind === kind) choose(null);
      else choosePackages((item) => item.kind === kind, { label, kind });
    });
  }
  chosen.addEventListener("click", () => {
    choose(null);
    search.focus();
  });
  search.addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && (search.value || choice)) {
      search.value = "";
      choose(null);
    }
  });

  // Move with the arrow keys from one tile to the nearest in that direction.
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const nearest = (tiles, from, [right, down]) => {
    let best = null;
    let least = Infinity;
    for (const to of tiles) {
      const along = (to.x - from.x) * right + (to.y - from.y) * down;
      const aside = Math.abs((to.x - from.x) * down) + Math.abs((to.y - from.y) * right);
      if (along > 0.5 && along + 2 * aside < least) {
        least = along + 2 * aside;
        best = to;
      }
    }
    return best;
  };
  const HINT = "Point at an area, or move to it with Tab and the arrow keys. Enter filters the tables to that area; Escape shows everything again.";
  const readout = document.getElementById("readout");
  readout.textContent = HINT;
  for (const map of document.querySelectorAll(".map")) {
    const centers = [...map.querySelectorAll(".tile")].map((tile) => {
      const { x, y, width, height } = tile.querySelector("rect");
      return {
        tile,
        x: x.baseVal.value + width.baseVal.value / 2,
        y: y.baseVal.value + height.baseVal.value / 2,
      };
    });
    // The ring is drawn last, so that no neighbour covers it.
    const ring = document.createElementNS(map.namespaceURI, "rect");
    ring.setAttribute("class", "ring");
    map.append(ring);
    const frame = (tile) => {
      const around = tile?.querySelector("rect");
      for (const name of ["x", "y", "width", "height"]) {
        ring.setAttribute(name, around ? around.getAttribute(name) : "0");
      }
    };
    const centerOf = new Map(centers.map((center) => [center.tile, center]));
    const describe = (tile) => { readout.textContent = tile.querySelector("title").textContent; };
    map.setAttribute("role", "group");
    for (const { tile } of centers) {
      tile.setAttribute("tabindex", "-1");
      tile.setAttribute("role", tile.dataset.label === undefined ? "img" : "button");
    }
    centers[0]?.tile.setAttribute("tabindex", "0");
    map.addEventListener("pointerover", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) describe(tile);
    });
    map.addEventListener("pointerleave", () => { readout.textContent = HINT; });
    map.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (!tile) return;
      for (const { tile: other } of centers) other.setAttribute("tabindex", other === tile ? "0" : "-1");
      describe(tile);
      frame(tile);
    });
    map.addEventListener("focusout", () => frame(null));
    map.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) chooseTile(tile);
    });
    map.addEventListener("keydown", (event) => {
      const tile = event.target.closest(".tile");
      if (tile && event.key in STEPS) {
        event.preventDefault();
        nearest(centers, centerOf.get(tile), STEPS[event.key])?.tile.focus();
      } else if (tile && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
        chooseTile(tile);
      }
    });
  }

  const matrix = document.getElementById("matrix");
  if (matrix) {
    const matrixReadout = document.getElementById("matrix-readout");
    const hint = "Point at a pair, or move to it with Tab and the arrow keys.";
    const cells = [...matrix.tBodies[0].rows].map((row) => [...row.cells].slice(1));
    matrixReadout.textContent = hint;
    for (const cell of cells.flat()) cell.tabIndex = -1;
    cells[0][1].tabIndex = 0;
    matrix.addEventListener("pointerover", (event) => {
      matrixReadout.textContent = event.target.closest("td")?.title || hint;
    });
    matrix.addEventListener("focusin", (event) => {
      for (const cell of cells.flat()) cell.tabIndex = cell === event.target ? 0 : -1;
      matrixReadout.textContent = event.target.title || hint;
    });
    matrix.addEventListener("keydown", (event) => {
      if (!(event.key in STEPS) || event.target.tagName !== "TD") return;
      event.preventDefault();
      const [right, down] = STEPS[event.key];
      const row = event.target.parentElement.sectionRowIndex;
      const column = event.target.cellIndex - 1;
      (cells[row + down]?.[column + right])?.focus();
    });
  }
})();

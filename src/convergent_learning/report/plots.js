// Draws each interactive plot when it comes near the screen, from the data beside it.
// plots.py says what the data are.
"use strict";
(() => {
  const darkPage = matchMedia("(prefers-color-scheme: dark)");
  const settings = { displayModeBar: false, responsive: true, scrollZoom: false };
  let library;

  function plotly() {
    library ??= unpack(document.getElementById("plotly-gzip").textContent).then((source) => {
      const script = document.createElement("script");
      script.textContent = source;
      document.head.append(script);
      return window.Plotly;
    });
    return library;
  }

  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function start(section) {
    const data = JSON.parse(section.querySelector("script").textContent);
    const form = section.querySelector("form");
    const draw = () => data.panels.forEach((panel) => drawPanel(panel, data.dark, form));
    section.hidden = false;
    form.reset();
    form.addEventListener("submit", (event) => event.preventDefault());
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      form.addEventListener("change", draw);
      darkPage.addEventListener("change", draw);
      draw();
    }, { rootMargin: "400px" });
    near.observe(section);
  }

  async function drawPanel(panel, dark, form) {
    const Plotly = await plotly();
    const place = document.getElementById(panel.id);
    const chosen = new FormData(form);
    const curves = panel.curves.filter(({ shown }) =>
      Object.entries(shown).every(([name, values]) => values.includes(chosen.get(name))));
    const drawn = curves.map(({ shown, ...curve }) => ({
      hovertemplate: curve.customdata && hover(panel.columns),
      ...(darkPage.matches ? repainted(curve, dark) : curve),
    }));
    await Plotly.react(place, drawn, layout(panel, place, drawn), settings);
    const what = `${panel.title}: ${choices(form)}`;
    place.setAttribute("aria-label", `${what}. Its numbers are in the table that follows.`);
    const holder = place.parentElement.querySelector(".numbers .scroll");
    holder.replaceChildren(table(what, panel.columns, curves));
  }

  function hover(columns) {
    const lines = columns.slice(1).map((name, i) => `${name}: %{customdata[${i + 1}]}`);
    return ["<b>%{customdata[0]}</b>", ...lines].join("<br>") + "<extra></extra>";
  }

  // The same curve with every colour that `dark` knows replaced.
  function repainted(value, dark) {
    if (typeof value === "string") return dark[value] ?? value;
    if (Array.isArray(value) || value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, repainted(v, dark)]));
  }

  // Pixels that the legend needs below the axes: its entries in rows, not well filled.
  function legendHeight(drawn, width) {
    const names = drawn.filter((curve) => curve.showlegend).map((curve) => curve.name);
    const length = names.reduce((sum, name) => sum + 50 + 6.5 * name.length, 0);
    return 29 * Math.ceil((1.1 * length) / (width - 70));
  }

  function layout(panel, place, drawn) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const narrow = place.clientWidth < 480;
    const axis = (title, range, zeroline) => ({
      title: { text: title, standoff: 6 },
      range: [...range],
      gridcolor: colour("--line"),
      zeroline,
      zerolinecolor: colour("--quiet"),
      fixedrange: true,
    });
    // The axes keep their height, whatever the length of the legend below them.
    const legend = legendHeight(drawn, place.clientWidth);
    return {
      height: 370 + legend,
      paper_bgcolor: colour("--page"),
      plot_bgcolor: colour("--page"),
      font: { color: colour("--text"), family: "system-ui, sans-serif", size: narrow ? 12 : 13 },
      title: { text: panel.title, x: 0, xref: "paper", font: { size: 14 } },
      margin: { l: 58, r: 12, t: 40, b: 60 + legend },
      xaxis: axis(panel.x, panel.x_range, false),
      yaxis: axis(panel.y, panel.y_range, true),
      hovermode: "closest",
      hoverlabel: { bgcolor: colour("--panel"), font: { color: colour("--text") } },
      dragmode: false,
      showlegend: true,
      legend: { orientation: "h", y: -0.18, yanchor: "top", x: 0, font: { size: 12 } },
    };
  }

  function choices(form) {
    const inputs = form.querySelectorAll("input:checked, option:checked");
    return [...inputs].map((input) => (input.label ?? input.parentElement.textContent).trim())
      .join(", ");
  }

  function table(caption, columns, curves) {
    const rows = curves.flatMap((curve) => curve.customdata ?? []);
    const made = document.createElement("table");
    made.createCaption().textContent = caption;
    const head = made.createTHead().insertRow();
    columns.forEach((name) => head.append(cell("th", name, "col")));
    const body = made.createTBody();
    rows.forEach((row) => {
      const line = body.insertRow();
      row.forEach((value, i) => line.append(cell(i ? "td" : "th", value, i ? null : "row")));
    });
    return made;
  }

  function cell(kind, text, scope) {
    const made = document.createElement(kind);
    if (scope) made.scope = scope;
    made.textContent = text;
    return made;
  }

  document.querySelectorAll(".interactive").forEach(start);
})();

"use strict";
// The risk of one patient from the model that stands in the page: nothing is looked up, nothing leaves.
(function () {
  const SIGNIFICANT = 3;
  const PATIENTS = 100;

  // "70", "1.85" or "1,85"; an empty or unreadable text is no number.
  const numberIn = (text) => {
    const plain = text.trim().replace(/\u2212/g, "-");
    const pointed = plain.includes(".") ? plain : plain.replace(",", ".");
    return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(pointed) ? Number(pointed) : NaN;
  };

  const cubed = (value) => Math.max(value, 0) ** 3;
  // Restricted cubic spline, components divided by the square of the knots' span (Harrell 2015, equation 2.25).
  const spline = (x, knots) => {
    const last = knots[knots.length - 1];
    const before = knots[knots.length - 2];
    const span = (last - knots[0]) ** 2;
    return [x, ...knots.slice(0, -2).map((knot) => (
      cubed(x - knot)
      - cubed(x - before) * (last - knot) / (last - before)
      + cubed(x - last) * (before - knot) / (last - before)
    ) / span)];
  };
  const columnsOf = (field, value) => {
    if (field.kind === "category") {
      return field.levels.filter((level) => level !== field.reference).map((level) => (level === value ? 1 : 0));
    }
    return field.kind === "spline" ? spline(value, field.knots) : [value];
  };
  const dot = (a, b) => a.reduce((sum, value, position) => sum + value * b[position], 0);
  const expit = (x) => 1 / (1 + Math.exp(-x));

  // Design row, linear predictor and its standard error (null where the model has no covariance).
  const predict = (model, values) => {
    const columns = model.fields.map((field, position) => columnsOf(field, values[position]));
    const row = [1, ...columns.flat()];
    const parts = model.fields.map((field, position) => dot(columns[position], field.coefficients));
    const predictor = model.intercept + parts.reduce((sum, part) => sum + part, 0);
    const covariance = model.covariance;
    const error = covariance ? Math.sqrt(Math.max(0, dot(row, covariance.map((line) => dot(line, row))))) : null;
    return { predictor, error, parts };
  };

  const percent = (share) => {
    if (share < 0.0005) return "< 0.1 %";
    return share > 0.9995 ? "> 99.9 %" : (100 * share).toFixed(1) + " %";
  };

  const start = (root) => {
    const model = JSON.parse(root.querySelector("[data-part=model]").textContent);
    const part = (name) => root.querySelector(`[data-part=${name}]`);
    const rows = Array.from(root.querySelectorAll("[data-field]"));
    const inputOf = (row) => row.querySelector("input[type=text], select");
    const sliderOf = (row) => row.querySelector("input[type=range]");

    const read = (row, field) => {
      const input = inputOf(row);
      const warning = row.querySelector("[data-part=warning]");
      let words = "";
      let isWrong = false;
      let value = input.value;
      if (field.kind !== "category" && value.trim() !== "") {
        value = numberIn(value);
        const [least, most] = field.possible || [-Infinity, Infinity];
        if (Number.isNaN(value)) {
          words = "This is not a number.";
          isWrong = true;
        } else if (value < least || value > most) {
          words = `Not possible: between ${least} and ${most} is allowed.`;
          isWrong = true;
        } else if (field.observed && (value < field.observed[0] || value > field.observed[1])) {
          words = "Outside the patients of the model: the risk is extrapolated.";
        }
      }
      warning.textContent = words;
      warning.classList.toggle("wrong", isWrong);
      input.setAttribute("aria-invalid", String(isWrong));
      const isMissing = isWrong || (typeof value === "string" && value.trim() === "");
      if (sliderOf(row) && !isMissing) sliderOf(row).value = value;
      return { value, isMissing, isOutside: words !== "" && !isWrong };
    };

    const dots = [];
    const drawDots = () => {
      const picture = part("people");
      for (let place = 0; place < PATIENTS; place += 1) {
        const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
        circle.setAttribute("cx", 6 + 12 * (place % 20));
        circle.setAttribute("cy", 6 + 12 * Math.floor(place / 20));
        circle.setAttribute("r", 4.5);
        picture.append(circle);
        dots.push(circle);
      }
    };

    const show = () => {
      const read_ = rows.map((row, position) => read(row, model.fields[position]));
      const missing = rows.filter((row, position) => read_[position].isMissing);
      root.closest(".exhibit")?.classList.toggle("unfilled", missing.length > 0);
      if (missing.length) {
        const names = missing.map((row) => row.querySelector("label").textContent.trim());
        part("risk").textContent = "–";
        part("interval").textContent = "";
        part("words").textContent = "Still needed: " + names.join(", ") + ".";
        dots.forEach((circle) => circle.classList.remove("event"));
        rows.forEach((row) => { row.querySelector("[data-part=bar]").style.width = "0"; });
        root.removeAttribute("data-probability");
        return;
      }
      const { predictor, error, parts } = predict(model, read_.map((one) => one.value));
      const risk = expit(predictor);
      root.dataset.probability = risk.toPrecision(SIGNIFICANT);
      part("risk").textContent = percent(risk);
      part("interval").textContent = error === null ? "" : `${model.confidence} interval `
        + `${percent(expit(predictor - model.quantile * error))} to ${percent(expit(predictor + model.quantile * error))}`;
      const count = Math.round(PATIENTS * risk);
      const outside = read_.some((one) => one.isOutside)
        ? " A value lies outside the patients of the model: do not rely on this number." : "";
      const side = model.cut_off === null ? "" : ` This is ${risk >= model.cut_off ? "at or above" : "below"} the `
        + `cut-off of ${percent(model.cut_off)}.`;
      part("words").textContent = `Of ${PATIENTS} such patients about ${count} would be expected to have ${model.outcome} `
        + `(probability ${risk.toPrecision(SIGNIFICANT)}).${side}${outside}`;
      dots.forEach((circle, place) => circle.classList.toggle("event", place < count));
      // Each bar: points of the nomogram, 100 for the widest axis.
      rows.forEach((row, position) => {
        const field = model.fields[position];
        const points = (parts[position] - field.least) * model.points_per_logit;
        row.querySelector("[data-part=bar]").style.width = Math.min(100, Math.max(0, points)) + "%";
        row.querySelector("[data-part=points]").textContent = points.toFixed(0);
      });
    };

    const fill = (values) => {
      rows.forEach((row, position) => { inputOf(row).value = values ? values[position] : ""; });
      show();
    };

    drawDots();
    root.addEventListener("input", (event) => {
      if (event.target.type === "range") inputOf(event.target.closest("[data-field]")).value = event.target.value;
      show();
    });
    part("example").addEventListener("click", () => fill(model.fields.map((field) => field.typical)));
    part("clear").addEventListener("click", () => { fill(null); inputOf(rows[0]).focus(); });
    root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    show();
  };

  document.querySelectorAll(".calculator").forEach(start);
})();

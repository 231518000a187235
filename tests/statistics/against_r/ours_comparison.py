"""Our values under R's names: description, comparison, contingency, association."""

import numpy as np
import pandas as pd

from spongiosa.statistics.association import pearson, spearman
from spongiosa.statistics.comparison import levene, mann_whitney, student_t, welch_t
from spongiosa.statistics.contingency import (
    chi_square,
    conditional_odds_ratio,
    cross_tabulate,
    fisher_exact,
    fisher_monte_carlo,
)
from spongiosa.statistics.description import normality, quantiles, summarise_numeric
from spongiosa.statistics.groups import adjust, friedman, kruskal_wallis, one_way_anova, pairwise_mann_whitney
from spongiosa.statistics.linear import linear_regression

QUARTILES = (0.25, 0.5, 0.75)


def values(read) -> dict[str, float]:
    patients, small = read("concordance"), read("small")
    ours: dict[str, float] = {}
    for variable in ("hu", "age", "bmi"):
        named = _numeric(patients, variable)
        ours |= {f"concordance|{variable}|{name}": value for name, value in named.items()}
    ours |= {f"small|value|{name}": value for name, value in _small(small).items()}
    ours |= {f"concordance|{name}": value for name, value in _tables(patients).items()}
    ours["small|group_event|fisher_p"] = fisher_monte_carlo(
        cross_tabulate(small["group"], small["event"]), seed=1
    ).p_value
    for variable in ("t_low", "t_lumbar", "t_neck"):
        named = _correlation(patients["hu"], patients[variable])
        ours |= {f"concordance|{variable}|{name}": value for name, value in named.items()}
    ours |= {f"concordance|linear|{name}": value for name, value in _linear(patients).items()}
    levels = read("levels")
    test = friedman({region: levels[region] for region in ("oval", "round", "front")})
    return ours | {"levels|friedman|q": test.statistic, "levels|friedman|p": test.p_value}


def _numeric(patients: pd.DataFrame, variable: str) -> dict[str, float]:
    x = patients[variable]
    sick, well = x[patients["osteoporosis"] == 1], x[patients["osteoporosis"] == 0]
    summary, shape = summarise_numeric(x), normality(x)
    named = {"mean": summary.mean, "sd": summary.sd, "shapiro_w": shape.statistic, "shapiro_p": shape.p_value}
    named |= _quantiles(x)
    for kind, test in (("student", student_t(sick, well)), ("welch", welch_t(sick, well))):
        named |= {f"{kind}_t": test.statistic, f"{kind}_df": test.df, f"{kind}_p": test.p_value}
        named |= {f"{kind}_ci_low": test.ci_low, f"{kind}_ci_high": test.ci_high}
    spread, ranks = levene(sick, well), mann_whitney(sick, well)
    named |= {"levene_f": spread.statistic, "levene_p": spread.p_value}
    named |= {"mann_whitney_u": ranks.u_statistic, "mann_whitney_p": ranks.p_value}
    groups = {str(group): x[patients["group"] == group] for group in range(4)}
    named |= _groups(groups)
    plain = pairwise_mann_whitney(groups, "none")
    for method, label in (
        ("none", "none"),
        ("bonferroni", "bonferroni"),
        ("holm", "holm"),
        ("benjamini-hochberg", "BH"),
    ):
        adjusted = adjust([pair.p_value for pair in plain], method)
        for pair, p_value in zip(plain, adjusted, strict=True):
            if (pair.first, pair.second) in (("0", "3"), ("1", "2")):
                named[f"pairwise_{pair.first}_{pair.second}_{label}"] = float(p_value)
    return named


def _groups(groups: dict[str, pd.Series]) -> dict[str, float]:
    variance, ranks = one_way_anova(groups), kruskal_wallis(groups)
    return {
        "anova_f": variance.statistic,
        "anova_p": variance.p_value,
        "kruskal_h": ranks.statistic,
        "kruskal_p": ranks.p_value,
    }


def _quantiles(x: pd.Series) -> dict[str, float]:
    named = {}
    for r_type, method in ((6, "weibull"), (7, "linear")):
        for share, place in zip(QUARTILES, quantiles(x, QUARTILES, method), strict=True):
            named[f"quantile_type{r_type}_{share}"] = float(place)
    return named


def _small(small: pd.DataFrame) -> dict[str, float]:
    value = small["value"]
    ranks = mann_whitney(value[small["event"] == 1], value[small["event"] == 0])
    shape, rho = normality(value), spearman(value, small["other"])
    named = _groups({group: value[small["group"] == group] for group in "abc"}) | _quantiles(value)
    named |= {"mann_whitney_u": ranks.u_statistic, "mann_whitney_p": ranks.p_value}
    named |= {"shapiro_w": shape.statistic, "shapiro_p": shape.p_value}
    return named | {"spearman": rho.estimate, "spearman_p": rho.p_value}


def _tables(patients: pd.DataFrame) -> dict[str, float]:
    outcome = patients["osteoporosis"]
    tables = {
        "sex": cross_tabulate(patients["female"], outcome),
        "groups": cross_tabulate(patients["group"], patients["female"]),
        "site": cross_tabulate(patients["site"], outcome),
    }
    named = {}
    for name, table in tables.items():
        test = chi_square(table)
        named |= {f"{name}|chi_square": test.statistic, f"{name}|chi_square_df": test.df}
        named[f"{name}|chi_square_p"] = test.p_value
        exact = fisher_exact(table) if table.shape == (2, 2) else fisher_monte_carlo(table, seed=1)
        named[f"{name}|fisher_p"] = exact.p_value
    for name, table in (("sex", tables["sex"]), ("hu", cross_tabulate(patients["low_hu"], outcome))):
        odds = conditional_odds_ratio(table)
        named |= {f"{name}|fisher_2x2_p": odds.p_value, f"{name}|odds_ratio": odds.estimate}
        named |= {f"{name}|odds_ratio_ci_low": odds.ci_low, f"{name}|odds_ratio_ci_high": odds.ci_high}
    return named


def _correlation(x: pd.Series, y: pd.Series) -> dict[str, float]:
    r, rho = pearson(x, y), spearman(x, y)
    return {
        "pearson": r.estimate,
        "pearson_t": r.statistic,
        "pearson_p": r.p_value,
        "pearson_ci_low": r.ci_low,
        "pearson_ci_high": r.ci_high,
        "spearman": rho.estimate,
        "spearman_p": rho.p_value,
    }


def _linear(patients: pd.DataFrame) -> dict[str, float]:
    fit = linear_regression(patients["t_low"], {name: patients[name] for name in ("hu", "age", "bmi")})
    named = {}
    for row in fit.coefficients:
        named |= {f"{row.name}|estimate": row.estimate, f"{row.name}|standard_error": row.standard_error}
        named |= {f"{row.name}|p": row.p_value, f"{row.name}|ci_low": row.ci_low, f"{row.name}|ci_high": row.ci_high}
    diagnostics = fit.diagnostics
    return named | {
        "r_squared": fit.r_squared,
        "adjusted_r_squared": fit.adjusted_r_squared,
        "residual_sd": fit.residual_sd,
        "f": fit.f_statistic,
        "shapiro_p": diagnostics.shapiro_p,
        "breusch_pagan": diagnostics.breusch_pagan,
        "breusch_pagan_p": diagnostics.breusch_pagan_p,
        "durbin_watson": diagnostics.durbin_watson,
        "largest_cook": float(np.max(diagnostics.cooks_distance)),
        "largest_leverage": float(np.max(diagnostics.leverage)),
        "largest_standardised": float(np.max(diagnostics.standardised)),
    }

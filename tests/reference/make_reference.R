# Reference values from R for tests/statistics/test_against_r.py: one row per number in r_reference.csv.
# Run by make_reference.sh.  A name is data set | function or quantity | field.

Sys.setenv(TZ = "UTC")
suppressPackageStartupMessages({
  library(pROC); library(rms); library(mice); library(psych); library(vcd); library(car)
  library(lmtest); library(sandwich); library(lme4); library(brglm2); library(epiR)
})
options(contrasts = c("contr.treatment", "contr.poly"))

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "tests/reference/data"
read <- function(name) read.csv(file.path(folder, paste0(name, ".csv")), stringsAsFactors = FALSE)

names_out <- character(); values_out <- numeric(); sources_out <- character()
put <- function(source, ..., value) {
  value <- as.numeric(value)
  stopifnot(length(value) == 1, is.finite(value))
  names_out <<- c(names_out, paste(..., sep = "|"))
  values_out <<- c(values_out, value)
  sources_out <<- c(sources_out, source)
}
tight <- glm.control(epsilon = 1e-14, maxit = 100)

# ---------------------------------------------------------------- description and comparison
C <- read("concordance")
for (v in c("hu", "age", "bmi")) {
  x <- C[[v]]
  put("stats", "concordance", v, "mean", value = mean(x))
  put("stats", "concordance", v, "sd", value = sd(x))
  for (type in 6:7) for (p in c(0.25, 0.5, 0.75))
    put("stats", "concordance", v, paste0("quantile_type", type, "_", p), value = quantile(x, p, type = type))
  s <- shapiro.test(x)
  put("stats", "concordance", v, "shapiro_w", value = s$statistic)
  put("stats", "concordance", v, "shapiro_p", value = s$p.value)
  a <- x[C$osteoporosis == 1]; b <- x[C$osteoporosis == 0]
  for (kind in c("student", "welch")) {
    t <- t.test(a, b, var.equal = kind == "student")
    put("stats", "concordance", v, paste0(kind, "_t"), value = t$statistic)
    put("stats", "concordance", v, paste0(kind, "_df"), value = t$parameter)
    put("stats", "concordance", v, paste0(kind, "_p"), value = t$p.value)
    put("stats", "concordance", v, paste0(kind, "_ci_low"), value = t$conf.int[1])
    put("stats", "concordance", v, paste0(kind, "_ci_high"), value = t$conf.int[2])
  }
  l <- leveneTest(x, factor(C$osteoporosis), center = mean)
  put("car", "concordance", v, "levene_f", value = l[1, "F value"])
  put("car", "concordance", v, "levene_p", value = l[1, "Pr(>F)"])
  w <- wilcox.test(a, b, exact = FALSE, correct = FALSE)
  put("stats", "concordance", v, "mann_whitney_u", value = w$statistic)
  put("stats", "concordance", v, "mann_whitney_p", value = w$p.value)
  g <- factor(C$group)
  an <- anova(lm(x ~ g))
  put("stats", "concordance", v, "anova_f", value = an[1, "F value"])
  put("stats", "concordance", v, "anova_p", value = an[1, "Pr(>F)"])
  k <- kruskal.test(x, g)
  put("stats", "concordance", v, "kruskal_h", value = k$statistic)
  put("stats", "concordance", v, "kruskal_p", value = k$p.value)
  for (method in c("none", "bonferroni", "holm", "BH")) {
    pairs <- suppressWarnings(pairwise.wilcox.test(x, g, p.adjust.method = method, exact = FALSE, correct = FALSE))
    put("stats", "concordance", v, paste0("pairwise_0_3_", method), value = pairs$p.value["3", "0"])
    put("stats", "concordance", v, paste0("pairwise_1_2_", method), value = pairs$p.value["2", "1"])
  }
}
S <- read("small")
k <- kruskal.test(S$value, factor(S$group))
put("stats", "small", "value", "kruskal_h", value = k$statistic)
put("stats", "small", "value", "kruskal_p", value = k$p.value)
an <- anova(lm(S$value ~ S$group))
put("stats", "small", "value", "anova_f", value = an[1, "F value"])
put("stats", "small", "value", "anova_p", value = an[1, "Pr(>F)"])
w <- wilcox.test(S$value[S$event == 1], S$value[S$event == 0], exact = FALSE, correct = FALSE)
put("stats", "small", "value", "mann_whitney_u", value = w$statistic)
put("stats", "small", "value", "mann_whitney_p", value = w$p.value)
for (type in 6:7) for (p in c(0.25, 0.5, 0.75))
  put("stats", "small", "value", paste0("quantile_type", type, "_", p), value = quantile(S$value, p, type = type))
s <- shapiro.test(S$value)
put("stats", "small", "value", "shapiro_w", value = s$statistic)
put("stats", "small", "value", "shapiro_p", value = s$p.value)
sp <- cor.test(S$value, S$other, method = "spearman", exact = FALSE)
put("stats", "small", "value", "spearman", value = sp$estimate)
put("stats", "small", "value", "spearman_p", value = sp$p.value)

# ---------------------------------------------------------------- contingency
tables <- list(sex = table(C$female, C$osteoporosis), groups = table(C$group, C$female), site = table(C$site, C$osteoporosis))
for (n in names(tables)) {
  x <- chisq.test(tables[[n]], correct = FALSE)
  put("stats", "concordance", n, "chi_square", value = x$statistic)
  put("stats", "concordance", n, "chi_square_df", value = x$parameter)
  put("stats", "concordance", n, "chi_square_p", value = x$p.value)
  put("stats", "concordance", n, "fisher_p", value = fisher.test(tables[[n]])$p.value)
}
for (n in c("sex", "hu")) {
  tab <- if (n == "sex") tables$sex else table(C$low_hu, C$osteoporosis)
  f <- fisher.test(tab)
  put("stats", "concordance", n, "fisher_2x2_p", value = f$p.value)
  put("stats", "concordance", n, "odds_ratio", value = f$estimate)
  put("stats", "concordance", n, "odds_ratio_ci_low", value = f$conf.int[1])
  put("stats", "concordance", n, "odds_ratio_ci_high", value = f$conf.int[2])
}
put("stats", "small", "group_event", "fisher_p", value = fisher.test(table(S$group, S$event))$p.value)

# ---------------------------------------------------------------- association
for (v in c("t_low", "t_lumbar", "t_neck")) {
  p <- cor.test(C$hu, C[[v]])
  put("stats", "concordance", v, "pearson", value = p$estimate)
  put("stats", "concordance", v, "pearson_t", value = p$statistic)
  put("stats", "concordance", v, "pearson_p", value = p$p.value)
  put("stats", "concordance", v, "pearson_ci_low", value = p$conf.int[1])
  put("stats", "concordance", v, "pearson_ci_high", value = p$conf.int[2])
  s <- cor.test(C$hu, C[[v]], method = "spearman", exact = FALSE)
  put("stats", "concordance", v, "spearman", value = s$estimate)
  put("stats", "concordance", v, "spearman_p", value = s$p.value)
}
fit <- lm(t_low ~ hu + age + bmi, data = C)
sm <- summary(fit); ci <- confint(fit)
for (i in 1:4) {
  term <- c("intercept", "hu", "age", "bmi")[i]
  put("stats", "concordance", "linear", term, "estimate", value = sm$coefficients[i, 1])
  put("stats", "concordance", "linear", term, "standard_error", value = sm$coefficients[i, 2])
  put("stats", "concordance", "linear", term, "p", value = sm$coefficients[i, 4])
  put("stats", "concordance", "linear", term, "ci_low", value = ci[i, 1])
  put("stats", "concordance", "linear", term, "ci_high", value = ci[i, 2])
}
put("stats", "concordance", "linear", "r_squared", value = sm$r.squared)
put("stats", "concordance", "linear", "adjusted_r_squared", value = sm$adj.r.squared)
put("stats", "concordance", "linear", "residual_sd", value = sm$sigma)
put("stats", "concordance", "linear", "f", value = sm$fstatistic[1])
put("stats", "concordance", "linear", "shapiro_p", value = shapiro.test(resid(fit))$p.value)
put("lmtest", "concordance", "linear", "breusch_pagan", value = bptest(fit)$statistic)
put("lmtest", "concordance", "linear", "breusch_pagan_p", value = bptest(fit)$p.value)
put("lmtest", "concordance", "linear", "durbin_watson", value = dwtest(fit)$statistic)
put("stats", "concordance", "linear", "largest_cook", value = max(cooks.distance(fit)))
put("stats", "concordance", "linear", "largest_leverage", value = max(hatvalues(fit)))
put("stats", "concordance", "linear", "largest_standardised", value = max(rstandard(fit)))

# ---------------------------------------------------------------- accuracy
tab <- table(factor(C$low_hu, c(1, 0)), factor(C$osteoporosis, c(1, 0)))
shares <- list(sensitivity = c(tab[1, 1], sum(tab[, 1])), specificity = c(tab[2, 2], sum(tab[, 2])),
               positive_predictive_value = c(tab[1, 1], sum(tab[1, ])), negative_predictive_value = c(tab[2, 2], sum(tab[2, ])),
               accuracy = c(tab[1, 1] + tab[2, 2], sum(tab)))
for (n in names(shares)) {
  w <- prop.test(shares[[n]][1], shares[[n]][2], correct = FALSE)
  put("stats", "concordance", "accuracy", n, "estimate", value = w$estimate)
  put("stats", "concordance", "accuracy", n, "ci_low", value = w$conf.int[1])
  put("stats", "concordance", "accuracy", n, "ci_high", value = w$conf.int[2])
}
e <- summary(epi.tests(tab, conf.level = 0.95))
for (pair in list(c("lr.pos", "positive_likelihood_ratio"), c("lr.neg", "negative_likelihood_ratio"))) {
  row <- e[e$statistic == pair[1], ]
  for (i in 1:3) put("epiR", "concordance", "accuracy", pair[2], c("estimate", "ci_low", "ci_high")[i], value = row[[i + 1]])
}
kap <- Kappa(tab)
put("vcd", "concordance", "kappa", "estimate", value = kap$Unweighted[["value"]])
put("vcd", "concordance", "kappa", "standard_error", value = kap$Unweighted[["ASE"]])
pk <- cohen.kappa(as.matrix(tab))
put("psych", "concordance", "kappa", "ci_low", value = pk$confid[1, 1])
put("psych", "concordance", "kappa", "ci_high", value = pk$confid[1, 3])
R <- read("readers")
grades <- table(factor(R$grade_1, 1:4), factor(R$grade_2, 1:4))
for (w in c("Equal-Spacing", "Fleiss-Cohen")) {
  k <- Kappa(grades, weights = w)
  n <- if (w == "Equal-Spacing") "linear" else "quadratic"
  put("vcd", "readers", "kappa", n, "estimate", value = k$Weighted[["value"]])
  put("vcd", "readers", "kappa", n, "standard_error", value = k$Weighted[["ASE"]])
}
put("vcd", "readers", "kappa", "unweighted", "estimate", value = Kappa(grades)$Unweighted[["value"]])
put("vcd", "readers", "kappa", "unweighted", "standard_error", value = Kappa(grades)$Unweighted[["ASE"]])

# ---------------------------------------------------------------- ROC
put_roc <- function(set, name, r) {
  put("pROC", set, name, "auc", value = auc(r))
  if (auc(r) < 1) {
    put("pROC", set, name, "delong_se", value = sqrt(var(r, method = "delong")))
    ci <- ci.auc(r, method = "delong")
    put("pROC", set, name, "delong_ci_low", value = ci[1])
    put("pROC", set, name, "delong_ci_high", value = ci[3])
  }
  best <- coords(r, "best", best.method = "youden", ret = c("threshold", "sensitivity", "specificity"), transpose = FALSE)
  best <- best[which.max(best$sensitivity), ]
  put("pROC", set, name, "youden_threshold", value = best$threshold)
  put("pROC", set, name, "youden_sensitivity", value = best$sensitivity)
  put("pROC", set, name, "youden_specificity", value = best$specificity)
}
curves <- list(
  hu = roc(C$osteoporosis, C$hu, direction = ">", levels = c(0, 1), quiet = TRUE),
  age = roc(C$osteoporosis, C$age, direction = "<", levels = c(0, 1), quiet = TRUE),
  bmi = roc(C$osteoporosis, C$bmi, direction = ">", levels = c(0, 1), quiet = TRUE))
for (n in names(curves)) put_roc("concordance", n, curves[[n]])
P <- read("separation")
put_roc("separation", "perfect", roc(P$event, P$perfect, direction = ">", levels = c(0, 1), quiet = TRUE))
put_roc("separation", "useless", roc(P$event, P$useless, direction = "<", levels = c(0, 1), quiet = TRUE))
put_roc("small", "value", roc(S$event, S$value, direction = "<", levels = c(0, 1), quiet = TRUE))
for (pair in list(c("hu", "age"), c("hu", "bmi"))) {
  t <- roc.test(curves[[pair[1]]], curves[[pair[2]]], method = "delong", paired = TRUE)
  put("pROC", "concordance", paste(pair, collapse = "_"), "delong_z", value = t$statistic)
  put("pROC", "concordance", paste(pair, collapse = "_"), "delong_p", value = t$p.value)
}
for (n in c("hu", "age")) for (focus in c("specificity", "sensitivity")) for (correct in c(FALSE, TRUE))
  put("pROC", "concordance", n, paste0("partial_", focus, if (correct) "_corrected" else ""),
      value = auc(curves[[n]], partial.auc = c(1, 0.8), partial.auc.focus = focus, partial.auc.correct = correct))
set.seed(1)
b <- ci.auc(curves$hu, method = "bootstrap", boot.n = 20000, boot.stratified = TRUE, progress = "none")
put("pROC", "concordance", "hu", "bootstrap_ci_low", value = b[1])
put("pROC", "concordance", "hu", "bootstrap_ci_high", value = b[3])

# ---------------------------------------------------------------- agreement
icc <- ICC(R[, 1:3], lmer = FALSE)$results
for (pair in list(c("ICC2", "a_1"), c("ICC3", "c_1"), c("ICC2k", "a_k"), c("ICC3k", "c_k"))) {
  row <- icc[icc$type == pair[1], ]
  put("psych", "readers", "icc", pair[2], "estimate", value = row$ICC)
  put("psych", "readers", "icc", pair[2], "ci_low", value = row[["lower bound"]])
  put("psych", "readers", "icc", pair[2], "ci_high", value = row[["upper bound"]])
}
d <- R$reader_1 - R$reader_2; m <- (R$reader_1 + R$reader_2) / 2
t <- t.test(d)
put("stats", "readers", "bland_altman", "bias", value = mean(d))
put("stats", "readers", "bland_altman", "bias_ci_low", value = t$conf.int[1])
put("stats", "readers", "bland_altman", "bias_ci_high", value = t$conf.int[2])
put("stats", "readers", "bland_altman", "bias_p", value = t$p.value)
put("stats", "readers", "bland_altman", "lower_limit", value = mean(d) - qnorm(0.975) * sd(d))
put("stats", "readers", "bland_altman", "upper_limit", value = mean(d) + qnorm(0.975) * sd(d))
slope <- summary(lm(d ~ m))$coefficients
put("stats", "readers", "bland_altman", "slope", value = slope[2, 1])
put("stats", "readers", "bland_altman", "slope_p", value = slope[2, 4])
within <- anova(lm(y ~ s, data.frame(y = c(R$reader_1, R$reader_2), s = factor(rep(1:24, 2)))))
put("stats", "readers", "repeatability", "within_subject_sd", value = sqrt(within["Residuals", "Mean Sq"]))

# ---------------------------------------------------------------- models
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(FALSE), value = TRUE)[1]))
source(file.path(here, "reference_models.R"))

# ---------------------------------------------------------------- write
stopifnot(!anyDuplicated(names_out), length(names_out) >= 300)
write.csv(data.frame(name = names_out, value = trimws(formatC(values_out, digits = 17, format = "g")), package = sources_out),
          file.path(folder, "r_reference.csv"), row.names = FALSE, quote = FALSE)
versions <- sapply(c("pROC", "rms", "Hmisc", "mice", "psych", "vcd", "car", "lmtest", "sandwich", "lme4", "brglm2", "epiR", "mitml"),
                   function(name) as.character(packageVersion(name)))
writeLines(c(R.version.string, paste(names(versions), versions)), file.path(folder, "r_versions.txt"))
cat(length(names_out), "reference values\n")

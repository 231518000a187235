# The models: clustered data, logistic regression, calibration, validation, nomogram, imputation.
# Sourced by make_reference.R, which defines `read`, `put`, `tight` and the data sets C, P, S and R.

# ---------------------------------------------------------------- repeated and clustered data
L <- read("levels")
complete <- na.omit(L[, c("oval", "round", "front")])
f <- friedman.test(as.matrix(complete))
put("stats", "levels", "friedman", "q", value = f$statistic)
put("stats", "levels", "friedman", "p", value = f$p.value)
mixed <- lmer(hu ~ age + level + (1 | patient), data = L, REML = TRUE,
              control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10)))
for (i in 1:3) {
  term <- c("intercept", "age", "level")[i]
  put("lme4", "levels", "mixed", term, "estimate", value = fixef(mixed)[i])
  put("lme4", "levels", "mixed", term, "standard_error", value = sqrt(diag(as.matrix(vcov(mixed))))[i])
}
put("lme4", "levels", "mixed", "between_sd", value = as.data.frame(VarCorr(mixed))$sdcor[1])
put("lme4", "levels", "mixed", "within_sd", value = sigma(mixed))
put("lme4", "levels", "mixed", "log_likelihood", value = logLik(mixed))
G <- transform(L, hu_sd = (hu - 110) / 30, age_sd = (age - 70) / 8)
glmm <- glmer(fracture ~ hu_sd + age_sd + (1 | patient), data = G, family = binomial, nAGQ = 61,
              control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5)))
for (i in 1:3) {
  term <- c("intercept", "hu_sd", "age_sd")[i]
  put("lme4", "levels", "mixed_logistic", term, "estimate", value = fixef(glmm)[i])
  put("lme4", "levels", "mixed_logistic", term, "standard_error", value = sqrt(diag(as.matrix(vcov(glmm))))[i])
}
put("lme4", "levels", "mixed_logistic", "between_sd", value = as.data.frame(VarCorr(glmm))$sdcor[1])
ols <- lm(hu ~ age + level, data = L)
v <- vcovCL(ols, cluster = L$patient, type = "HC1")
lg <- glm(fracture ~ hu + age, data = L, family = binomial, control = tight)
vg <- vcovCL(lg, cluster = L$patient, type = "HC0", cadjust = TRUE)
for (i in 1:3) {
  put("sandwich", "levels", "clustered_linear", c("intercept", "age", "level")[i], "standard_error", value = sqrt(v[i, i]))
  put("sandwich", "levels", "clustered_logistic", c("intercept", "hu", "age")[i], "standard_error", value = sqrt(vg[i, i]))
}
rb <- robcov(lrm(fracture ~ hu + age, data = L, x = TRUE, y = TRUE, tol = 1e-14, eps = 1e-12), cluster = L$patient)
put("rms", "levels", "clustered_logistic", "hu", "robcov_standard_error", value = sqrt(diag(rb$var))[2])

# ---------------------------------------------------------------- logistic regression
D <- read("loosening")
D$goutallier <- relevel(factor(D$goutallier), ref = "4")
fit <- glm(loosening ~ age + pbq + hu_ratio + goutallier, data = D, family = binomial, control = tight)
sm <- summary(fit)$coefficients
labels <- c("intercept", "age", "pbq", "hu_ratio", "goutallier=1", "goutallier=2", "goutallier=3")
wald <- confint.default(fit); profile_r <- suppressMessages(confint(fit))
X <- model.matrix(fit)
exact_limit <- function(j, side) {
  loss <- function(value) {
    refit <- glm.fit(X[, -j], D$loosening, offset = X[, j] * value, family = binomial(), control = tight)
    refit$deviance - fit$deviance - qchisq(0.95, 1)
  }
  centre <- coef(fit)[j]; width <- sm[j, 2]
  uniroot(loss, sort(c(centre, centre + side * 5 * width)), tol = 1e-11)$root
}
for (i in 1:7) {
  put("stats", "loosening", "logistic", labels[i], "estimate", value = sm[i, 1])
  put("stats", "loosening", "logistic", labels[i], "standard_error", value = sm[i, 2])
  put("stats", "loosening", "logistic", labels[i], "p", value = sm[i, 4])
  put("stats", "loosening", "logistic", labels[i], "wald_low", value = exp(wald[i, 1]))
  put("stats", "loosening", "logistic", labels[i], "wald_high", value = exp(wald[i, 2]))
  put("stats", "loosening", "logistic", labels[i], "profile_low", value = exp(exact_limit(i, -1)))
  put("stats", "loosening", "logistic", labels[i], "profile_high", value = exp(exact_limit(i, 1)))
  put("MASS", "loosening", "logistic", labels[i], "confint_low", value = exp(profile_r[i, 1]))
}
put("stats", "loosening", "logistic", "log_likelihood", value = logLik(fit))
put("stats", "loosening", "logistic", "aic", value = AIC(fit))
drop <- drop1(fit, test = "LRT")
for (i in 2:5) {
  term <- c("age", "pbq", "hu_ratio", "goutallier")[i - 1]
  put("stats", "loosening", "logistic", term, "likelihood_ratio", value = drop[i, "LRT"])
  put("stats", "loosening", "logistic", term, "likelihood_ratio_p", value = drop[i, "Pr(>Chi)"])
}
dd <- datadist(D); options(datadist = "dd")
model <- lrm(loosening ~ age + pbq + hu_ratio + goutallier, data = D, x = TRUE, y = TRUE, tol = 1e-14, eps = 1e-12)
put("rms", "loosening", "logistic", "likelihood_ratio", value = model$stats["Model L.R."])
put("rms", "loosening", "logistic", "nagelkerke", value = model$stats["R2"])
put("rms", "loosening", "logistic", "brier", value = model$stats["Brier"])
put("rms", "loosening", "logistic", "c", value = model$stats["C"])
aw <- anova(model)
put("rms", "loosening", "logistic", "goutallier", "wald", value = aw["goutallier", "Chi-Square"])
put("rms", "loosening", "logistic", "goutallier", "wald_p", value = aw["goutallier", "P"])
for (v in c("age", "bmi", "fused_levels", "diabetes")) {
  u <- summary(glm(D$loosening ~ D[[v]], family = binomial, control = tight))$coefficients
  put("stats", "loosening", "univariable", v, "estimate", value = u[2, 1])
  put("stats", "loosening", "univariable", v, "p", value = u[2, 4])
}
basis <- rcspline.eval(D$age, nk = 4, inclx = TRUE)
for (i in 1:4) put("Hmisc", "loosening", "spline", paste0("knot_", i), value = attr(basis, "knots")[i])
for (i in 1:3) put("Hmisc", "loosening", "spline", paste0("basis_mean_", i), value = mean(basis[, i]))
for (count in c(3, 5, 6, 7)) {
  places <- rcspline.eval(D$bmi, nk = count, knots.only = TRUE)
  for (i in seq_along(places)) put("Hmisc", "loosening", "knots", count, i, value = places[i])
}
bent <- lrm(loosening ~ rcs(age, 4) + hu_ratio, data = D, tol = 1e-14, eps = 1e-12)
for (i in 1:5) put("rms", "loosening", "spline", paste0("coefficient_", i), value = coef(bent)[i])
for (i in 1:5) put("rms", "loosening", "spline", paste0("standard_error_", i), value = sqrt(diag(bent$var))[i])
gv <- vif(lm(loosening ~ age + pbq + hu_ratio + goutallier, data = D))
for (i in 1:4) {
  put("car", "loosening", "vif", rownames(gv)[i], "gvif", value = gv[i, 1])
  put("car", "loosening", "vif", rownames(gv)[i], "comparable", value = gv[i, 3])
}
one <- cbind(1, D$age, D$pbq, D$hu_ratio, D$fused_levels)
singular <- svd(apply(one, 2, function(column) column / sqrt(sum(column^2))))$d
for (i in 1:5) put("base", "loosening", "condition_index", i, value = singular[1] / singular[i])
firth <- glm(event ~ perfect + helpful, data = P, family = binomial, method = "brglmFit", type = "AS_mean",
             epsilon = 1e-12, maxit = 1000)
firth_full <- glm(loosening ~ age + pbq + hu_ratio + goutallier, data = D, family = binomial, method = "brglmFit",
                  type = "AS_mean", epsilon = 1e-12, maxit = 1000)
for (i in 1:3) {
  put("brglm2", "separation", "firth", c("intercept", "perfect", "helpful")[i], "estimate", value = coef(firth)[i])
  put("brglm2", "separation", "firth", c("intercept", "perfect", "helpful")[i], "standard_error",
      value = sqrt(diag(vcov(firth)))[i])
}
for (i in 1:7) put("brglm2", "loosening", "firth", labels[i], "estimate", value = coef(firth_full)[i])

# ---------------------------------------------------------------- calibration and validation
half <- seq_len(nrow(D)) %% 2 == 1
train <- glm(loosening ~ age + pbq + hu_ratio, data = D[half, ], family = binomial, control = tight)
p <- predict(train, newdata = D[!half, ], type = "response"); y <- D$loosening[!half]; lp <- qlogis(p)
vp <- val.prob(p, y, pl = FALSE)
put("rms", "loosening", "external", "brier", value = vp["Brier"])
put("rms", "loosening", "external", "auc", value = vp["C (ROC)"])
joint <- summary(glm(y ~ lp, family = binomial, control = tight))$coefficients
large <- summary(glm(y ~ offset(lp), family = binomial, control = tight))$coefficients
put("stats", "loosening", "external", "joint_intercept", value = joint[1, 1])
put("stats", "loosening", "external", "joint_intercept_se", value = joint[1, 2])
put("stats", "loosening", "external", "slope", value = joint[2, 1])
put("stats", "loosening", "external", "slope_se", value = joint[2, 2])
put("stats", "loosening", "external", "in_the_large", value = large[1, 1])
put("stats", "loosening", "external", "in_the_large_se", value = large[1, 2])
put("rms", "loosening", "external", "val_prob_intercept", value = vp["Intercept"])
put("rms", "loosening", "external", "val_prob_slope", value = vp["Slope"])
pp <- fitted(fit)
cuts <- cut(pp, unique(quantile(pp, seq(0, 1, 0.1))), include.lowest = TRUE)
O <- tapply(D$loosening, cuts, sum); E <- tapply(pp, cuts, sum); N <- table(cuts)
hl <- sum((O - E)^2 / (E * (1 - E / N)))
put("base", "loosening", "hosmer_lemeshow", "quantiles", value = hl)
put("base", "loosening", "hosmer_lemeshow", "quantiles_p", value = pchisq(hl, 8, lower.tail = FALSE))
grid <- seq(sort(pp)[5], sort(pp)[length(pp) - 4], length = 50)
smooth <- approx(lowess(pp, D$loosening, iter = 0), xout = grid, ties = function(x) x[1])$y
for (i in c(1, 5, 10, 20, 30, 40, 50)) put("stats", "loosening", "lowess", i, value = smooth[i])
set.seed(2)
v <- validate(model, B = 2000)
for (row in c("Dxy", "Intercept", "Slope", "B")) {
  put("rms", "loosening", "validate", row, "apparent", value = v[row, "index.orig"])
  put("rms", "loosening", "validate", row, "optimism", value = v[row, "optimism"])
  put("rms", "loosening", "validate", row, "corrected", value = v[row, "index.corrected"])
}
set.seed(3)
cal <- calibrate(model, B = 1000)
for (i in c(5, 15, 25, 35)) put("rms", "loosening", "calibrate", paste0("corrected_", i), value = cal[i, "calibrated.corrected"])
for (i in c(5, 15, 25, 35)) put("rms", "loosening", "calibrate", paste0("apparent_", i), value = cal[i, "calibrated.orig"])
pdf(NULL); err <- plot(cal); invisible(dev.off())
put("rms", "loosening", "calibrate", "mean_absolute_error", value = mean(abs(err), na.rm = TRUE))

# ---------------------------------------------------------------- nomogram
axes <- list(age = seq(30, 90, 10), pbq = seq(1.5, 5, 0.5), hu_ratio = seq(0.5, 3, 0.5))
nom <- do.call(nomogram, c(list(model, fun = plogis, maxscale = 100, lp = TRUE), axes))
for (v in names(axes)) for (i in c(1, length(axes[[v]])))
  put("rms", "loosening", "nomogram", v, axes[[v]][i], value = nom[[v]]$points[i])
for (i in 1:4) put("rms", "loosening", "nomogram", "goutallier", nom$goutallier$goutallier[i], value = nom$goutallier$points[i])
lp_axis <- nom$lp
put("rms", "loosening", "nomogram", "points_per_logit",
    value = diff(range(lp_axis$x)) / diff(range(lp_axis$x.real)))
put("rms", "loosening", "nomogram", "points_at_even_odds",
    value = approx(lp_axis$x.real, lp_axis$x, xout = 0)$y)

# ---------------------------------------------------------------- imputation and pooling
M <- read("missing")
M$goutallier <- relevel(factor(M$goutallier), ref = "4"); M$diabetes <- factor(M$diabetes); M$loosening <- factor(M$loosening)
M <- M[, c("age", "pbq", "hu_ratio", "goutallier", "diabetes", "bmi", "loosening")]
five <- mice(M, m = 5, maxit = 10, method = c(pbq = "norm", hu_ratio = "norm", diabetes = "logreg", bmi = "pmm",
             age = "", goutallier = "", loosening = "")[names(M)], seed = 4, printFlag = FALSE)
long <- complete(five, "long")
long$diabetes <- as.integer(as.character(long$diabetes)); long$loosening <- as.integer(as.character(long$loosening))
write.csv(long[, c(".imp", "age", "pbq", "hu_ratio", "goutallier", "diabetes", "bmi", "loosening")],
          file.path(folder, "imputed_by_mice.csv"), row.names = FALSE)
fits <- with(five, glm(loosening ~ age + pbq + hu_ratio + goutallier, family = binomial, control = tight))
pooled <- summary(pool(fits), conf.int = TRUE); extra <- pool(fits)$pooled
for (i in 1:7) {
  put("mice", "missing", "pooled", labels[i], "estimate", value = pooled$estimate[i])
  put("mice", "missing", "pooled", labels[i], "standard_error", value = pooled$std.error[i])
  put("mice", "missing", "pooled", labels[i], "df", value = pooled$df[i])
  put("mice", "missing", "pooled", labels[i], "p", value = pooled$p.value[i])
  put("mice", "missing", "pooled", labels[i], "ci_low", value = pooled[["2.5 %"]][i])
  put("mice", "missing", "pooled", labels[i], "fmi", value = extra$fmi[i])
  put("mice", "missing", "pooled", labels[i], "riv", value = extra$riv[i])
}
without <- with(five, glm(loosening ~ age + pbq + hu_ratio, family = binomial, control = tight))
d1 <- mitml::testModels(fits$analyses, without$analyses, method = "D1")$test
put("mitml", "missing", "pooled", "goutallier", "d1_f", value = d1[1, "F.value"])
put("mitml", "missing", "pooled", "goutallier", "d1_df2", value = d1[1, "df2"])
put("mitml", "missing", "pooled", "goutallier", "d1_p", value = d1[1, "P(>F)"])
for (kind in c("norm", "pmm")) {
  many <- mice(M, m = 100, maxit = 10, method = c(pbq = kind, hu_ratio = kind, diabetes = "logreg", bmi = kind, age = "",
               goutallier = "", loosening = "")[names(M)], seed = 5, printFlag = FALSE)
  q <- summary(pool(with(many, glm(loosening ~ age + pbq + hu_ratio + diabetes, family = binomial))))
  for (i in 2:5) {
    put("mice", "missing", kind, c("", "age", "pbq", "hu_ratio", "diabetes")[i], "estimate", value = q$estimate[i])
    put("mice", "missing", kind, c("", "age", "pbq", "hu_ratio", "diabetes")[i], "standard_error", value = q$std.error[i])
  }
}

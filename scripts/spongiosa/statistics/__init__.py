"""Statistics on arrays and tables: no images, no files, no configuration.

Import the module that you need; nothing is re-exported here, so that a result depends on no more code than it used.

what is accepted, and description
  samples             `StatisticsError`, missing values, complete cases
  proportions         a share with Wilson's interval
  description         mean and SD, median and quartiles (SPSS), counts, missing values, normality
  baseline            a table of all variables by group, the test chosen by stated rules
comparison
  comparison          two groups: Student with Levene, Welch, Mann-Whitney
  groups              ANOVA, Kruskal-Wallis, Dunn, pairwise tests, Friedman, multiplicity
  contingency         chi-square without Yates, Fisher exact and by Monte Carlo
agreement
  icc                 intraclass correlation: (A,1), (A,k), (C,1), (C,k)
  bland_altman        bias, limits of agreement, proportional bias
  method_comparison   Deming, Passing-Bablok
  kappa               Cohen's kappa, weighted kappa
  repeatability       within-subject SD, RMS-CV, least significant change
association and accuracy
  association         Pearson, Spearman
  linear              least squares with residual diagnostics
  accuracy            confusion counts, every index at a threshold, predictive values at another prevalence
  roc                 ROC curve, AUC (DeLong, SPSS), paired DeLong test
  cutoff              Youden with all ties, stratified bootstrap of AUC, index and cut-off
  partial_auc         area between two specificities or sensitivities
  audit               identities between figures: direction, AUC against Youden, Z against AUC, possible counts
regression
  terms               linear, category, restricted cubic spline -> design matrix
  logistic_solver     Newton's method, separation
  logistic            Wald and profile-likelihood intervals, term tests
  firth               penalised likelihood
  selection           univariable, multivariable, final, by a stated rule
  collinearity        VIF, tolerance, condition index
  clustered           cluster-robust errors
  mixed               random-intercept model of a number; mixed_logistic: of an event
prediction
  imputation          chained equations; imputation_draws: one column at a time
  pooling             Rubin's rules; pooled_regression: logistic regression and selection on imputed data, pooled AUC
  development         impute, select, fit and pool as one procedure
  validation          optimism bootstrap of the procedure
  calibration         Hosmer-Lemeshow, calibration in the large and slope, Brier; calibration_curve: smooth curve
  decision            decision curve, clinical impact
  prediction_model    a model as JSON, applied and validated elsewhere
  nomogram            axes, points, score of a patient
"""

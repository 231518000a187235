"""Statistics on arrays and tables: no images, no files, no configuration.

Import the module that you need; nothing is re-exported here, so that a result depends on no more code than it used.

samples        what is accepted and how it is refused: `StatisticsError`, missing values, complete cases
proportions    a share with Wilson's interval
description    mean and SD, median and quartiles (SPSS), counts, missing values, normality, standardised differences
comparison     two groups: Student with Levene, Welch, Mann-Whitney
contingency    chi-square without Yates, Fisher exact and by Monte Carlo
association    Pearson, Spearman
linear         least squares with residual diagnostics
kappa          Cohen's kappa, weighted kappa
accuracy       confusion counts, every index at a threshold, threshold tables, predictive values elsewhere
roc            ROC curve, AUC (DeLong, SPSS), paired DeLong test
cutoff         Youden with all ties, stratified bootstrap of AUC, index and cut-off
"""

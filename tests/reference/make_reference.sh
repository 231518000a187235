#!/bin/sh
# Rebuild the reference data sets and R's numbers on them (needs Debian's R packages; as root they are installed).
set -eu
here=$(dirname "$0")
python=${PYTHON:-python3}
packages="r-base-core r-cran-proc r-cran-rms r-cran-mice r-cran-psych r-cran-vcd r-cran-car r-cran-lmtest
  r-cran-sandwich r-cran-lme4 r-cran-brglm2 r-cran-epir r-cran-mitml"
if ! Rscript -e 'stopifnot(all(sapply(c("pROC","rms","mice","psych","vcd","car","lmtest","sandwich","lme4","brglm2","epiR","mitml"), requireNamespace, quietly = TRUE)))' >/dev/null 2>&1; then
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
fi
"$python" "$here/make_datasets.py" "$here/data"
Rscript "$here/make_reference.R" "$here/data"

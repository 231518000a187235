"""From regions to numbers: HU statistics, the line from HU to vBMD, and the indices derived from them."""

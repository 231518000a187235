"""From what a picture archive exports to one volume in HU.

`index` finds the series of an input and chooses one, `assembly` makes its volume; `faults` says which reason wins.
"""

"""What is measured in each vertebra: regions placed in the vertebral frame, as sub-voxel weights on the scan's grid."""

/** Stands for no value. */
export const noValueId = 0
/** Stands for every value that came when its dimension had `maxDimensionIds` others. */
export const otherId = 1
/** The most values of a dimension that have an id, for each project. It bounds the memory of packing and of breakdowns. */
export const maxDimensionIds = 100_000

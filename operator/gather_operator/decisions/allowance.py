"""How many iterations a department may use."""


def iteration_allowance(max_iterations: int, used: int, departments_after: int) -> int:
    """Return a department's share of the run's iterations; 0 when nothing is left.

    Each of the `departments_after` this one keeps one in reserve, as the design asks. Where the run has fewer
    iterations than departments the reserve cannot be kept, so that the earlier departments get one each and
    the later ones none.
    """
    left = max_iterations - used
    if left <= 0:
        return 0
    return max(1, left - departments_after)

"""Changes that change nothing that anybody could see, judged by hand: they are left out of samples and of the score."""

# Module below `wsgateway`, text of the line, what is done to it; and why nobody could see that.
EQUIVALENT: dict[tuple[str, str, str], str] = {}

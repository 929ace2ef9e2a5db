"""The tool's own exam: a zoo of bugs against each means that the tool has to find them."""

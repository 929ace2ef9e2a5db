"""Search: the matrix of wire crash points, schedules of faults, the exams."""

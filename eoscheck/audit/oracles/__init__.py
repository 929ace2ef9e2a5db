"""What a result should be: golden runs, folds, changelogs, dumps."""

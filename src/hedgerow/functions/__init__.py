"""Running a function: packages, drivers, the Lambda Runtime API, pools. Serves cloud and edge."""

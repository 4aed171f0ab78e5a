-- Another number of credits a month.
alter resource monitor {monitor} set credit_quota = {credit_quota};

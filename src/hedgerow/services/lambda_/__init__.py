"""AWS Lambda: functions, their versions, aliases and permissions. (The name has an underscore: lambda is a keyword.)"""

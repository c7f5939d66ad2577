"""Jobs on the device: documents of steps, run by handlers in a folder and by a few actions of our own.

`channel.py` hears of jobs and reports them, `document.py` reads their documents, `execution.py` runs the steps and
remembers how far it came, `handlers.py` finds executables, `actions.py` holds our own actions, `process.py` runs one
process. Deployments are jobs too, in a namespace of their own: `deployments/jobs.py`.
"""

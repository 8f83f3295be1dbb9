"""What MLflow runs to load a served model: models from code, no pickle.

MLflow puts the folder `code` on the path; the package is an archive in it, which Python imports
from. A package that is there already is the one that every model in a process gets.
"""

import sys
from pathlib import Path

from mlflow.models import set_model

if "ser" not in sys.modules:
    sys.path.insert(0, str(Path(__file__).with_name("code") / "ser.zip"))

from ser.serving.mlflow_model import ServedModel

set_model(ServedModel())

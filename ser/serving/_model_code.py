"""What MLflow runs to load a served model: models from code, no pickle."""

from mlflow.models import set_model

from ser.serving.mlflow_model import ServedModel

set_model(ServedModel())

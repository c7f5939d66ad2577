"""The real models, for tests of the wire: ours and botocore's own reading of the same files."""

import functools
from typing import Any

import botocore.loaders
import botocore.model

from hedgerow.api.models import OWN_MODELS, ModelFiles, botocore_models
from hedgerow.core.wire import Catalogue

CATALOGUE = Catalogue(ModelFiles([OWN_MODELS, botocore_models()]))


@functools.cache
def botocore_model(service: str) -> Any:
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)

"""Pictures as files and arrays: opened safely, masked, laid out, written whole with their request.

Pillow and NumPy only; nothing here knows a network.
"""

from bluerider.images.arrays import (
    fit as fit,
)
from bluerider.images.arrays import (
    from_array as from_array,
)
from bluerider.images.arrays import padded as padded
from bluerider.images.arrays import square as square
from bluerider.images.arrays import (
    to_array as to_array,
)
from bluerider.images.canvas import Canvas as Canvas
from bluerider.images.canvas import is_grey as is_grey
from bluerider.images.canvas import prepare as prepare
from bluerider.images.canvas import settle as settle
from bluerider.images.masks import composite as composite
from bluerider.images.masks import feathered as feathered
from bluerider.images.masks import read_mask as read_mask
from bluerider.images.opening import (
    ACCEPTED as ACCEPTED,
)
from bluerider.images.opening import (
    EXIF_IFD as EXIF_IFD,
)
from bluerider.images.opening import (
    KEY as KEY,
)
from bluerider.images.opening import (
    MAX_BYTES as MAX_BYTES,
)
from bluerider.images.opening import (
    MAX_PIXELS as MAX_PIXELS,
)
from bluerider.images.opening import (
    MAX_REQUEST as MAX_REQUEST,
)
from bluerider.images.opening import (
    Picture as Picture,
)
from bluerider.images.opening import (
    digest as digest,
)
from bluerider.images.opening import (
    open_picture as open_picture,
)
from bluerider.images.opening import (
    open_upright as open_upright,
)
from bluerider.images.opening import (
    opened as opened,
)
from bluerider.images.opening import (
    over_white as over_white,
)
from bluerider.images.opening import (
    read_request as read_request,
)
from bluerider.images.saving import (
    DISK_FAULTS as DISK_FAULTS,
)
from bluerider.images.saving import (
    FORMATS as FORMATS,
)
from bluerider.images.saving import (
    MAX_EXIF as MAX_EXIF,
)
from bluerider.images.saving import (
    Destination as Destination,
)
from bluerider.images.saving import (
    embedding as embedding,
)
from bluerider.images.saving import (
    encode as encode,
)
from bluerider.images.saving import (
    make_folder as make_folder,
)
from bluerider.images.saving import (
    save_pictures as save_pictures,
)
from bluerider.images.saving import (
    write as write,
)
from bluerider.images.sheets import (
    MAX_SHEET as MAX_SHEET,
)
from bluerider.images.sheets import (
    chart as chart,
)
from bluerider.images.sheets import (
    columns as columns,
)
from bluerider.images.sheets import (
    sheet as sheet,
)
from bluerider.images.sheets import (
    thumbnail as thumbnail,
)

"""The fields of Apple's records that matter, and where each resource sits."""

from typing import Final

from ...model import Role

ON_MASTER: Final = (
    (Role.ORIGINAL, "resOriginal"),
    (Role.ALTERNATIVE, "resOriginalAlt"),
    (Role.LIVE_VIDEO, "resOriginalVidCompl"),
    (Role.SIDECAR, "resSidecar"),
)
ON_ASSET: Final = ((Role.EDITED, "resJPEGFull"), (Role.EDITED_VIDEO, "resVidFull"))

DESIRED_KEYS: Final = (
    *(
        prefix + part
        for _, prefix in (*ON_MASTER, *ON_ASSET)
        for part in ("Res", "Fingerprint", "FileType", "Width", "Height")
    ),
    "filenameEnc",
    "itemType",
    "originalOrientation",
    "importedBy",
    "importedByBundleIdentifierEnc",
    "importedByDisplayNameEnc",
    "originalCreationDate",
    "mediaMetaDataType",
    "mediaMetaDataEnc",
    "dataClassType",
    "originatingFingerprint",
    "masterRef",
    "assetDate",
    "addedDate",
    "timeZoneOffset",
    "timeZoneNameEnc",
    "isHidden",
    "isFavorite",
    "isDeleted",
    "isExpunged",
    "dateExpunged",
    "trashReason",
    "orientation",
    "adjustmentType",
    "adjustmentRenderType",
    "adjustmentTimestamp",
    "adjustmentSimpleDataEnc",
    "adjustmentCreatorCodeEnc",
    "adjustmentSourceType",
    "adjustmentOtherInfoEnc",
    "adjustmentMediaMetaDataEnc",
    "assetSubtype",
    "assetSubtypeV2",
    "assetHDRType",
    "burstId",
    "burstFlags",
    "burstFlagsExt",
    "isKeyAsset",
    "duration",
    "captionEnc",
    "extendedDescEnc",
    "keywordsEnc",
    "locationEnc",
    "locationV2Enc",
    "locationLatitude",
    "locationLongitude",
    "vidComplDispScale",
    "vidComplDispValue",
    "vidComplDurScale",
    "vidComplDurValue",
    "vidComplVisibilityState",
    "playCount",
    "viewCount",
    "shareCount",
    "curationScore",
    "customRenderedValue",
    "facesVersion",
    # of albums and of who lies in them
    "albumNameEnc",
    "albumType",
    "parentId",
    "containerId",
    "itemId",
)
"""All fields but the small previews, which make up most of a full record."""

/** What a post can have on each platform beyond text and pictures: the OpenAPI document's own words. Generated: `npm run options -- openapi.json`. */

import type { Schema } from "./schemas";

export const SCHEMAS: Record<string, Schema> = {
  "BlueskyCard": {
    "properties": {
      "url": {
        "type": "string",
        "maxLength": 2000,
        "minLength": 1
      },
      "title": {
        "type": "string",
        "maxLength": 300,
        "default": ""
      },
      "description": {
        "type": "string",
        "maxLength": 1000,
        "default": ""
      }
    },
    "type": "object",
    "required": [
      "url"
    ],
    "title": "BlueskyCard"
  },
  "BlueskyOptions": {
    "properties": {
      "languages": {
        "items": {
          "oneOf": [
            {
              "type": "string"
            },
            {}
          ]
        },
        "type": "array",
        "maxItems": 3,
        "default": []
      },
      "labels": {
        "items": {
          "oneOf": [
            {
              "type": "string",
              "enum": [
                "sexual",
                "nudity",
                "porn",
                "graphic-media"
              ]
            },
            {}
          ]
        },
        "type": "array",
        "maxItems": 4,
        "default": []
      },
      "tags": {
        "items": {
          "oneOf": [
            {
              "type": "string"
            },
            {}
          ]
        },
        "type": "array",
        "maxItems": 8,
        "default": []
      },
      "card": {
        "oneOf": [
          {
            "$ref": "#/components/schemas/BlueskyCard"
          },
          {
            "type": "null"
          }
        ]
      },
      "quote": {
        "oneOf": [
          {
            "type": "string"
          },
          {
            "type": "null"
          }
        ],
        "maxLength": 2000
      },
      "reply_to": {
        "oneOf": [
          {
            "type": "string"
          },
          {
            "type": "null"
          }
        ],
        "maxLength": 2000
      },
      "replies_from": {
        "oneOf": [
          {
            "items": {
              "type": "string",
              "enum": [
                "mentioned",
                "followers",
                "followed"
              ]
            },
            "type": "array"
          },
          {
            "type": "null"
          }
        ],
        "maxItems": 3
      },
      "quotes_allowed": {
        "type": "boolean",
        "default": true
      }
    },
    "type": "object",
    "required": [],
    "title": "BlueskyOptions"
  },
  "MastodonOptions": {
    "properties": {
      "visibility": {
        "type": "string",
        "enum": [
          "public",
          "unlisted",
          "private",
          "direct"
        ],
        "default": "public"
      },
      "language": {
        "oneOf": [
          {
            "type": "string"
          },
          {
            "type": "null"
          }
        ],
        "pattern": "^[a-z]{2}$"
      },
      "sensitive": {
        "type": "boolean",
        "default": false
      },
      "spoiler": {
        "type": "string",
        "default": ""
      },
      "poll": {
        "oneOf": [
          {
            "$ref": "#/components/schemas/MastodonPoll"
          },
          {
            "type": "null"
          }
        ]
      }
    },
    "type": "object",
    "required": [],
    "title": "MastodonOptions"
  },
  "MastodonPoll": {
    "properties": {
      "options": {
        "items": {
          "oneOf": [
            {
              "type": "string"
            },
            {}
          ]
        },
        "type": "array",
        "maxItems": 20,
        "minItems": 2
      },
      "expires_in": {
        "type": "integer",
        "maximum": 31557600,
        "minimum": 60,
        "default": 86400
      },
      "multiple": {
        "type": "boolean",
        "default": false
      },
      "hide_totals": {
        "type": "boolean",
        "default": false
      }
    },
    "type": "object",
    "required": [
      "options"
    ],
    "title": "MastodonPoll"
  },
  "Options": {
    "properties": {
      "mastodon": {
        "oneOf": [
          {
            "$ref": "#/components/schemas/MastodonOptions"
          }
        ]
      },
      "bluesky": {
        "oneOf": [
          {
            "$ref": "#/components/schemas/BlueskyOptions"
          }
        ]
      },
      "x": {
        "oneOf": [
          {
            "$ref": "#/components/schemas/XOptions"
          }
        ]
      }
    },
    "type": "object",
    "required": [],
    "title": "Options"
  },
  "XOptions": {
    "properties": {
      "reply_settings": {
        "type": "string",
        "enum": [
          "everyone",
          "following",
          "mentionedUsers",
          "subscribers",
          "verified"
        ],
        "title": "Who may answer",
        "description": "Everyone unless said otherwise; of the first part.",
        "default": "everyone"
      },
      "reply_to": {
        "type": "string",
        "title": "In answer to",
        "description": "The post that this answers: its address or its number.",
        "default": ""
      },
      "quote": {
        "type": "string",
        "title": "Quotes",
        "description": "The post that this shows below its text: its address or its number.",
        "default": ""
      },
      "poll": {
        "oneOf": [
          {
            "$ref": "#/components/schemas/XPoll"
          },
          {
            "type": "null"
          }
        ],
        "title": "Poll",
        "description": "Not together with pictures or a quote."
      },
      "made_with_ai": {
        "type": "boolean",
        "title": "Made with AI",
        "description": "Says at every part that AI made what it shows.",
        "default": false
      },
      "paid_partnership": {
        "type": "boolean",
        "title": "Paid partnership",
        "description": "Says at every part that somebody paid for it.",
        "default": false
      }
    },
    "type": "object",
    "required": [],
    "title": "XOptions"
  },
  "XPoll": {
    "properties": {
      "options": {
        "items": {
          "type": "string"
        },
        "type": "array",
        "title": "Answers",
        "description": "Two to four, of up to 25 characters each.",
        "default": []
      },
      "duration_minutes": {
        "type": "integer",
        "title": "Open for",
        "description": "Minutes: 5 to 10,080, which is seven days.",
        "default": 1440
      }
    },
    "type": "object",
    "required": [],
    "title": "XPoll"
  }
};

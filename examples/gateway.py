#!/usr/bin/env python3
"""A chat gateway in miniature: brings one inquiry to the hub, then sends the approved replies to chat.

    pip install pika
    AMQP_URL=amqp://guest:guest@127.0.0.1:5672/%2f python examples/gateway.py "Where is my order?"

SENT_FILE names a file that keeps what was sent over a restart; without it only this process remembers.
"""
import json
import os
import sys
import time
import uuid
from datetime import datetime, timezone

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
SENT_FILE = os.environ.get("SENT_FILE")
INBOUND, OUTBOUND = "nexus.inbound", "nexus.outbound.chat"


def publish(channel, routing_key, message_id, body):
    """Returns once the broker has confirmed; raises where it refused or no queue takes the message."""
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2, message_id=message_id)
    channel.basic_publish(INBOUND, routing_key, json.dumps(body).encode(), properties, mandatory=True)


def send(delivery):
    """A real gateway calls its chat service here."""
    print(f"sent {delivery['deliveryId']} to {delivery['to']['email']}: {delivery['message']}", flush=True)


def handle(channel, delivery, sent):
    """Sends a delivery unless that was done before, and tells the hub. A redelivery carries the same id."""
    delivery_id = delivery["deliveryId"]
    if delivery_id not in sent:
        try:
            send(delivery)
        except OSError as error:  # the chat service is away: the hub tries again later
            report = {"deliveryId": delivery_id, "reason": str(error) or "not sent", "permanent": False}
            return publish(channel, "delivery.failed", str(uuid.uuid4()), report)
        sent[delivery_id] = datetime.now(timezone.utc).isoformat()
        if SENT_FILE:
            with open(SENT_FILE, "a", encoding="utf-8") as file:
                file.write(f"{delivery_id} {sent[delivery_id]}\n")
    report = {"deliveryId": delivery_id, "deliveredAt": sent[delivery_id]}
    publish(channel, "delivery.confirmed", str(uuid.uuid4()), report)
    print(f"confirmed {delivery_id}", flush=True)


def serve(inquiry, sent):
    # Closed in any case: what an open connection has not acknowledged is not redelivered.
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=10)
        # The hub declares these. Passive only looks whether they are there.
        channel.exchange_declare(INBOUND, passive=True)
        channel.queue_declare(OUTBOUND, passive=True)
        # After a lost connection again, under the same externalId: the hub takes it in once.
        publish(channel, "inquiry.chat", inquiry["externalId"], inquiry)
        print(f"published {inquiry['externalId']}", flush=True)
        for method, _, body in channel.consume(OUTBOUND):
            handle(channel, json.loads(body), sent)
            channel.basic_ack(method.delivery_tag)  # only now: the hub's broker has the report


def main():
    external_id = f"chat-{uuid.uuid4()}"
    inquiry = {
        "externalId": external_id,
        "threadId": external_id,
        "customer": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace"},
        "message": sys.argv[1] if len(sys.argv) > 1 else "Where is my order?",
    }
    sent = {}
    if SENT_FILE and os.path.exists(SENT_FILE):
        with open(SENT_FILE, encoding="utf-8") as file:
            sent = dict(line.split() for line in file)
    while True:
        try:
            serve(inquiry, sent)
        except AMQPError as error:
            if isinstance(error, ChannelClosedByBroker) and error.reply_code == 404:
                sys.exit(f"gateway: {error.reply_text} (the hub declares exchanges and queues: start it first)")
            print(f"gateway: {error!r}, trying again in 2 seconds", file=sys.stderr, flush=True)
            time.sleep(2)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass

/* SPDX-License-Identifier: BSD-3-Clause */
/* Eclipse Paho's C client, as somebody else's program would use it: a subscriber and a publisher
 * that send each other messages of many sizes at each QoS.
 *
 *     paho_client URI VERSION CA TOPIC MAX
 *
 * VERSION: 4 or 5; CA: a file, or "" without TLS; MAX: larger messages are left out.
 *
 * test_clients.py compiles and runs it. Exit status 0 if all came whole and in order. */
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 10000, SIZES = 7, PAYLOAD_MAX = 200000 };

static const int sizes[SIZES] = {0, 1, 127, 16384, 30000, 65536, PAYLOAD_MAX};

static void check(const char *what, int rc)
{
    if (rc == MQTTCLIENT_SUCCESS) return;
    fprintf(stderr, "%s: %d (%s)\n", what, rc, MQTTClient_strerror(rc));
    exit(1);
}

static MQTTClient client(const char *uri, int version, const char *ca, const char *id)
{
    MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
    MQTTClient_connectOptions plain = MQTTClient_connectOptions_initializer_ws;
    MQTTClient_connectOptions five = MQTTClient_connectOptions_initializer5_ws;
    MQTTClient_connectOptions *o = version == MQTTVERSION_5 ? &five : &plain;
    MQTTClient_SSLOptions ssl = MQTTClient_SSLOptions_initializer;
    MQTTClient c;

    create.MQTTVersion = version;
    check("create",
          MQTTClient_createWithOptions(&c, uri, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create));
    o->MQTTVersion = version;
    ssl.trustStore = ca;
    ssl.verify = 1;
    if (*ca) o->ssl = &ssl;
    if (version != MQTTVERSION_5) {
        check("connect", MQTTClient_connect(c, o));
        return c;
    }
    MQTTResponse r = MQTTClient_connect5(c, o, NULL, NULL);
    check("connect", r.reasonCode == MQTTREASONCODE_SUCCESS ? 0 : (int)r.reasonCode);
    MQTTResponse_free(r);
    return c;
}

static void subscribe(MQTTClient c, int version, const char *topic)
{
    if (version != MQTTVERSION_5) {
        check("subscribe", MQTTClient_subscribe(c, topic, 2));
        return;
    }
    MQTTResponse r = MQTTClient_subscribe5(c, topic, 2, NULL, NULL);
    check("subscribe", r.reasonCode == MQTTREASONCODE_GRANTED_QOS_2 ? 0 : (int)r.reasonCode);
    MQTTResponse_free(r);
}

static void publish(MQTTClient c, int version, const char *topic, MQTTClient_message *m)
{
    MQTTClient_deliveryToken token;

    if (version == MQTTVERSION_5) {
        MQTTResponse r = MQTTClient_publishMessage5(c, topic, m, &token);
        check("publish", r.reasonCode == MQTTREASONCODE_SUCCESS ? 0 : (int)r.reasonCode);
        MQTTResponse_free(r);
    } else {
        check("publish", MQTTClient_publishMessage(c, topic, m, &token));
    }
    if (m->qos > 0) check("completion", MQTTClient_waitForCompletion(c, token, WAIT_MS));
}

/* The next message must be `size` times `fill`. */
static void expect(MQTTClient c, int size, int fill)
{
    MQTTClient_message *m = NULL;
    char *topic = NULL;
    int length = 0;

    check("receive", MQTTClient_receive(c, &topic, &length, &m, WAIT_MS));
    if (!m || m->payloadlen != size) {
        fprintf(stderr, "received %d bytes instead of %d\n", m ? m->payloadlen : -1, size);
        exit(1);
    }
    for (int i = 0; i < size; i++) {
        if (((char *)m->payload)[i] == fill) continue;
        fprintf(stderr, "byte %d of %d is another\n", i, size);
        exit(1);
    }
    MQTTClient_freeMessage(&m);
    MQTTClient_free(topic);
}

int main(int argc, char **argv)
{
    static char payload[PAYLOAD_MAX];

    int sent = 0;
    if (argc != 6) return 2;
    int version = atoi(argv[2]);
    MQTTClient_init_options init = MQTTClient_init_options_initializer;
    init.do_openssl_init = 1;
    MQTTClient_global_init(&init);
    MQTTClient sub = client(argv[1], version, argv[3], "paho-c-sub");
    MQTTClient pub = client(argv[1], version, argv[3], "paho-c-pub");
    subscribe(sub, version, argv[4]);
    for (int qos = 0; qos <= 2; qos++) {
        for (int i = 0; i < SIZES; i++) {
            MQTTClient_message m = MQTTClient_message_initializer;
            if (sizes[i] > atoi(argv[5])) continue;
            int fill = 'a' + qos * SIZES + i;
            memset(payload, fill, sizeof payload);
            m.payload = payload;
            m.payloadlen = sizes[i];
            m.qos = qos;
            publish(pub, version, argv[4], &m);
            expect(sub, sizes[i], fill);
            sent++;
        }
    }
    check("disconnect", MQTTClient_disconnect(pub, 1000));
    check("disconnect", MQTTClient_disconnect(sub, 1000));
    MQTTClient_destroy(&pub);
    MQTTClient_destroy(&sub);
    printf("%d messages\n", sent);
    return 0;
}
